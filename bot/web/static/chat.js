// The chat in the page: keeps the token, sends what was written until it is accepted, shows what is answered.
// How a reply is drawn: reply.js. What is said here: the server's texts, in every language.
import { renderReply } from "./reply.js";

const API = "/api/v1";
const NEUTRAL_PAGE = "https://www.buienradar.nl/";
const RETRY_MS = [500, 1500, 4000, 10000];

const log = document.getElementById("log");
const state = document.getElementById("state");
const form = document.getElementById("form");
const input = document.getElementById("input");
const picker = document.getElementById("language");

let texts = {};
let directions = {};
let cursor = 0;
let stream = null;
let sending = false;

// What is kept on the phone: the token, and what was written but not yet accepted.
const kept = {
  get token() { return localStorage.getItem("wegwijs.token"); },
  set token(value) { value ? localStorage.setItem("wegwijs.token", value) : localStorage.removeItem("wegwijs.token"); },
  get queue() { return JSON.parse(localStorage.getItem("wegwijs.queue") || "[]"); },
  set queue(value) { localStorage.setItem("wegwijs.queue", JSON.stringify(value)); },
  clear() { localStorage.removeItem("wegwijs.token"); localStorage.removeItem("wegwijs.queue"); },
};

async function start() {
  await speak(picker.value);
  const returning = Boolean(kept.token);
  if (returning) await show();
  if (!returning || cursor === 0) enqueue({ button: "/greet" });
  flush();
  listen();
}

async function speak(language) {
  const response = await fetch(`${API}/texts/${language}`).catch(() => null);
  if (!response?.ok) return;
  const found = await response.json();
  texts = found.texts;
  directions = Object.fromEntries(Object.entries(found.languages).map(([code, { direction }]) => [code, direction]));
  document.documentElement.lang = language;
  document.documentElement.dir = found.direction;
  picker.value = language;
  input.placeholder = texts["web.input"];
  document.querySelector('label[for="input"]').textContent = texts["web.input"];
  document.querySelector('label[for="language"]').textContent = texts["web.choose_language"];
  document.getElementById("send").textContent = texts["web.send"];
  const leave = document.getElementById("leave");
  leave.textContent = texts["web.leave"];
  leave.title = texts["web.leave.explained"];
  document.querySelector(".tagline").textContent = texts["page.tagline"];
  document.querySelector(".intro").textContent = texts["page.intro"];
}

function enqueue(message) {
  const entry = { id: crypto.randomUUID(), language: picker.value, ...message };
  kept.queue = [...kept.queue, entry];
  if (entry.text) drawPerson(entry.id, entry.text, "waiting");
  flush();
}

// One at a time and in order; a message stays in the queue until the server has it.
async function flush() {
  if (sending) return;
  sending = true;
  let failures = 0;
  while (kept.queue.length) {
    const [entry] = kept.queue;
    const outcome = await post(entry).catch(() => "retry");
    if (outcome === "accepted" || outcome === "refused") {
      kept.queue = kept.queue.slice(1);
      failures = 0;
      say("");
    } else {
      say(texts["web.offline"]);
      await new Promise((done) => setTimeout(done, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]));
      failures += 1;
    }
  }
  sending = false;
  catchUp();
}

async function post(entry) {
  if (!kept.token) {
    const begun = await fetch(`${API}/conversations`, { method: "POST" });
    if (!begun.ok) return "retry";
    kept.token = (await begun.json()).token;
    cursor = 0;
    listen();
  }
  const response = await fetch(`${API}/messages`, {
    method: "POST", headers: { ...authorization(), "Content-Type": "application/json" }, body: JSON.stringify(entry),
  });
  const bubble = document.getElementById(`m-${entry.id}`);
  if (response.status === 202) { bubble?.classList.remove("waiting"); return "accepted"; }
  if (response.status === 404) { kept.token = null; return "retry"; }
  const answer = await response.json().catch(() => ({}));
  if (answer.reply) await draw(answer.reply);
  if (response.status === 429 || response.status >= 500) return "retry";
  bubble?.classList.add("failed");
  say((texts[answer.detail] || texts["web.failed"]).replace("{limit}", input.maxLength));
  return "refused";
}

const authorization = () => ({ Authorization: `Bearer ${kept.token}` });

// The whole conversation, after a reload.
async function show() {
  const response = await fetch(`${API}/messages`, { headers: authorization() }).catch(() => null);
  if (response?.status === 404) { kept.token = null; return; }
  if (response?.ok) await take(await response.json());
}

async function catchUp() {
  if (!kept.token) return;
  const response = await fetch(`${API}/messages?after=${cursor}`, { headers: authorization() }).catch(() => null);
  if (response?.ok) await take(await response.json());
}

// Server-sent events read by fetch, because EventSource can't send the token in a header.
async function listen() {
  stream?.abort();
  if (!kept.token) return;
  const mine = (stream = new AbortController());
  try {
    const response = await fetch(`${API}/events?after=${cursor}`, { headers: authorization(), signal: mine.signal });
    if (!response.ok) throw new Error(String(response.status));
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let buffer = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      buffer += value.replaceAll("\r\n", "\n");
      const events = buffer.split("\n\n");
      buffer = events.pop();
      for (const event of events) {
        const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim()).join("");
        if (data && event.includes("event: entries")) take(JSON.parse(data));
      }
    }
  } catch {
    if (mine.signal.aborted) return;
  }
  if (mine === stream) setTimeout(listen, RETRY_MS[1]);
}

// One transcript after the other: a reply in another language waits for the texts of that language.
let drawing = Promise.resolve();
function take(transcript) {
  drawing = drawing.then(async () => {
    for (const entry of transcript.entries) {
      if (entry.author === "person") drawPerson(entry.id, entry.text, "");
      else if (entry.cursor > cursor) await draw(entry.reply, entry.cursor);
    }
    cursor = Math.max(cursor, transcript.cursor);
  });
  return drawing;
}

function drawPerson(id, text, mark) {
  if (document.getElementById(`m-${id}`)) return;
  const bubble = document.createElement("div");
  bubble.id = `m-${id}`;
  bubble.className = `entry person ${mark}`.trim();
  bubble.dir = "auto";
  bubble.append(hidden(`${texts["web.you"]}: `), text);
  log.append(bubble);
  log.scrollTo({ top: log.scrollHeight });
}

async function draw(reply, at = 0) {
  if (at && document.getElementById(`r-${at}`)) return;
  if (reply.language !== document.documentElement.lang) await speak(reply.language);
  const drawn = renderReply(reply, texts, { direction: directions[reply.language] || "auto", press, shareLocation });
  if (at) drawn.id = `r-${at}`;
  drawn.prepend(hidden(`${texts["web.bot"]}: `));
  log.append(drawn);
  log.scrollTo({ top: drawn.offsetTop - 8 });
}

function press(button) {
  drawPerson(crypto.randomUUID(), button.label, "");
  enqueue({ button: button.payload });
}

function shareLocation() {
  navigator.geolocation.getCurrentPosition(
    ({ coords }) => enqueue({ position: { latitude: coords.latitude, longitude: coords.longitude } }),
    () => input.focus(),
  );
}

function hidden(text) {
  const span = document.createElement("span");
  span.className = "hidden";
  span.dir = document.documentElement.dir; // or it, and not what was written, would set the bubble's direction
  span.textContent = text;
  return span;
}

function say(text) { if (state.textContent !== text) state.textContent = text || ""; }

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = input.value.trim();
  if (!text) { say(texts["error.empty"]); return; }
  input.value = "";
  input.dir = "";
  input.style.height = "";
  say("");
  enqueue({ text });
});
input.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
});
input.addEventListener("input", () => {
  input.dir = input.value ? "auto" : ""; // an empty field stands as its placeholder is read
  input.style.height = "auto";
  input.style.height = `${input.scrollHeight}px`;
});
picker.addEventListener("change", async () => {
  const language = picker.value;
  await speak(language);
  enqueue({ button: `/language{"language":"${language}"}` });
});
// Leaving does not wait for the server: the screen is empty and the page gone at once, the deletion goes out beside it.
document.getElementById("leave").addEventListener("click", () => {
  if (kept.token) fetch(`${API}/conversation`, { method: "DELETE", headers: authorization(), keepalive: true });
  kept.clear();
  stream?.abort();
  log.replaceChildren();
  location.replace(NEUTRAL_PAGE);
});
window.addEventListener("online", () => { say(texts["web.online"]); flush(); listen(); });
window.addEventListener("offline", () => say(texts["web.offline"]));
document.addEventListener("visibilitychange", () => { if (!document.hidden) catchUp(); });

start();
