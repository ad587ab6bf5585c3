// Keeps queue and case up to date: on an event the page is fetched again and its live parts take the place of the old ones.
// Everything works without this script too, by reloading.
const { events, notify } = document.body.dataset;
const LIVE = ["live", "head", "summary"];
const connection = document.getElementById("connection");
const live = document.getElementById("live");

function toEnd() {
  const lines = document.querySelector(".lines");
  if (lines) lines.scrollTop = lines.scrollHeight;
}

async function renew() {
  const response = await fetch(location.href, { headers: { "X-Live": "1" } }).catch(() => null);
  if (!response) { offline(true); return; }
  if (response.status === 403 || response.redirected) { location.reload(); return; }
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  const before = Number(document.getElementById("live")?.dataset.waiting ?? 0);
  // Who has the case decides what can be done: then all of it is drawn anew.
  const state = (page) => page.querySelector(".badge")?.textContent;
  if (state(fresh) !== state(document) && !isWriting()) { location.reload(); return; }
  for (const id of LIVE) {
    const [old, now] = [document.getElementById(id), fresh.getElementById(id)];
    if (!old || !now || old.innerHTML === now.innerHTML) continue;
    const atEnd = old.scrollHeight - old.scrollTop - old.clientHeight < 40;
    old.replaceChildren(...now.childNodes);
    Object.assign(old.dataset, now.dataset);
    if (atEnd && old.classList.contains("lines")) toEnd();
  }
  document.title = fresh.title;
  if (notify && Number(live.dataset.waiting) > before && window.Notification?.permission === "granted") new Notification(notify);
}

function isWriting() {
  return [...document.querySelectorAll("textarea")].some((field) => field.value.trim());
}

function offline(isSo) { connection.textContent = isSo ? connection.dataset.text : ""; }

if (events && live) {
  const stream = new EventSource(events);
  stream.addEventListener("changed", renew);
  stream.addEventListener("signed_out", () => { stream.close(); location.reload(); });
  stream.addEventListener("open", () => offline(false));
  stream.addEventListener("error", () => offline(true));
  setInterval(renew, 60_000); // the waiting times
  toEnd();
}

const button = document.getElementById("notify");
if (button && window.Notification?.permission === "default") {
  button.hidden = false;
  button.addEventListener("click", async () => { button.hidden = (await Notification.requestPermission()) !== "default"; });
}

document.getElementById("text")?.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.target.form.requestSubmit();
});
// A button pressed twice sends once.
for (const form of document.querySelectorAll('form[method="post"]')) {
  form.addEventListener("submit", (event) => { if (form.dataset.sent) event.preventDefault(); form.dataset.sent = "1"; });
}
addEventListener("pageshow", () => { for (const form of document.forms) delete form.dataset.sent; });
