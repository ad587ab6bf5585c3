// Keeps queue and case up to date: on an event the page is fetched again and its live parts take the place of the old ones.
// Everything works without this script too, by reloading.
const { events } = document.body.dataset;
const LIVE = ["live", "head", "summary", "translate"];
const connection = document.getElementById("connection");
const live = document.getElementById("live");

function again() { location.replace(document.body.dataset.page ?? location.href); }

function toEnd() {
  const lines = document.querySelector(".lines");
  if (lines) lines.scrollTop = lines.scrollHeight;
}

async function renew() {
  // Also of a page that came from a form: the address without what the form did.
  const response = await fetch(document.body.dataset.page ?? location.href, { headers: { "X-Live": "1" } }).catch(() => null);
  if (!response) { offline(true); return; }
  if (response.status === 403 || response.redirected) { again(); return; }
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  // Who has the case decides what can be done: then all of it is drawn anew.
  const state = (page) => page.querySelector(".badge")?.textContent;
  if (state(fresh) !== state(document) && !isWriting()) { again(); return; }
  for (const id of LIVE) {
    const [old, now] = [document.getElementById(id), fresh.getElementById(id)];
    if (!old || !now || old.innerHTML === now.innerHTML) continue;
    const atEnd = old.scrollHeight - old.scrollTop - old.clientHeight < 40;
    old.replaceChildren(...now.childNodes);
    Object.assign(old.dataset, now.dataset);
    if (atEnd && old.classList.contains("lines")) toEnd();
  }
  document.title = fresh.title;
}

// All open pages hear of a change at the same instant: they ask for the new one within a moment, each at its own time, and of several
// changes in it for the last only. Alerts don't wait for that.
const SPREAD_MS = 300;
let renewal = null;
function renewSoon() { renewal ??= setTimeout(() => { renewal = null; renew(); }, Math.random() * SPREAD_MS); }

function isWriting() {
  return [...document.querySelectorAll("textarea")].some((field) => field.value.trim());
}

function offline(isSo) { connection.textContent = isSo ? connection.dataset.text : ""; }

if (events) {
  const stream = new EventSource(events);
  stream.addEventListener("changed", () => { if (live) renewSoon(); });
  stream.addEventListener("waiting", hearWaiting);
  stream.addEventListener("signed_out", () => { stream.close(); again(); });
  stream.addEventListener("open", () => offline(false));
  stream.addEventListener("error", () => offline(true));
  if (live) setInterval(renew, 60_000); // the waiting times
  toEnd();
}

// Alerts: a sound and a notification of the browser for each case that begins to wait, where the switch is on.
const alerts = document.getElementById("alerts");
let sound = null, known = null;

function areOn() { return localStorage.getItem("alerts") === "on"; }

function play() {
  // Two soft tones, made here: no file to load.
  sound ??= new AudioContext();
  sound.resume();
  for (const [at, pitch] of [[0, 660], [0.18, 880]]) {
    const [tone, volume] = [sound.createOscillator(), sound.createGain()];
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0.0001, sound.currentTime + at);
    volume.gain.exponentialRampToValueAtTime(0.2, sound.currentTime + at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, sound.currentTime + at + 0.4);
    tone.connect(volume).connect(sound.destination);
    tone.start(sound.currentTime + at);
    tone.stop(sound.currentTime + at + 0.45);
  }
}

function notify() {
  play();
  // Says nothing of whom or what: others may see the screen. Phones have no such constructor; they have the sound.
  try { if (Notification.permission === "granted") new Notification(alerts.dataset.notified, { tag: "waiting" }); } catch { /* the sound was played */ }
}

function hearWaiting(event) {
  const ids = JSON.parse(event.data);
  const isNew = known !== null && ids.some((id) => !known.has(id));
  known = new Set(ids);
  const count = document.getElementById("waiting");
  if (count) { count.textContent = ids.length; count.hidden = !ids.length; }
  if (isNew && areOn()) notify();
}

if (alerts) {
  alerts.hidden = false;
  alerts.setAttribute("aria-checked", areOn());
  alerts.addEventListener("click", async () => {
    const on = !areOn();
    localStorage.setItem("alerts", on ? "on" : "off");
    alerts.setAttribute("aria-checked", on);
    if (!on) return;
    play();
    if (window.Notification?.permission === "default") await Notification.requestPermission();
  });
  // Browsers let a page sound only after it was touched.
  addEventListener("pointerdown", () => { if (areOn()) { sound ??= new AudioContext(); sound.resume(); } }, { once: true });
}

// A choice is applied at once; the button is for those without this script.
const filters = document.getElementById("filters");
if (filters) {
  filters.querySelector("button").hidden = true;
  filters.addEventListener("change", () => filters.requestSubmit());
}

document.getElementById("text")?.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.target.form.requestSubmit();
});
// The person sees that somebody is writing, and nothing of what.
const TYPING_MS = 4000;
let typed = -TYPING_MS;
document.getElementById("text")?.addEventListener("input", ({ target, timeStamp }) => {
  if (!target.value.trim() || timeStamp - typed < TYPING_MS) return;
  typed = timeStamp;
  const body = new URLSearchParams({ csrf: target.form.elements.csrf.value });
  fetch(target.form.action.replace(/say$/, "typing"), { method: "POST", body }).catch(() => null);
});
// A canned reply goes to where the cursor stands; what was written stays.
for (const form of document.querySelectorAll("[data-insert]")) {
  form.addEventListener("submit", (event) => {
    const field = document.getElementById("text");
    if (!field) return;
    event.preventDefault();
    field.setRangeText(form.dataset.insert, field.selectionStart, field.selectionEnd, "end");
    field.focus();
  });
}
// A button pressed twice sends once.
for (const form of document.querySelectorAll('form[method="post"]')) {
  form.addEventListener("submit", (event) => { if (form.dataset.sent) event.preventDefault(); form.dataset.sent = "1"; });
}
addEventListener("pageshow", () => { for (const form of document.forms) delete form.dataset.sent; });
