// The chat in the page: keeps the token, sends what was written until it is accepted, shows what is answered.
// How a reply is drawn: reply.js. What is said here: the server's texts, in every language.
// Inside a website: frame.js.
// Read aloud: aloud.js; size and colours: look.js.
import { aloudButton, silence } from "./aloud.js";
import { isFramed, leaveTicket, onFocus, tellSite, tokenOfSite } from "./frame.js";
import { kept } from "./kept.js";
import { installLook } from "./look.js";
import { renderReply } from "./reply.js";
import { when } from "./when.js";

const API = "/api/v1";
const RETRY_MS = [500, 1500, 4000, 10000];
const ANSWER_MS = 15000; // a server that takes longer than this has not got the message

const log = document.getElementById("log");
const state = document.getElementById("state");
const form = document.getElementById("form");
const input = document.getElementById("input");
const picker = document.getElementById("language");

let texts = {};
let languages = {};
let served = [];
let leaveTo = "about:blank";
let cursor = 0;
let stream = null;
let isApologised = false;
const labels = new Map(); // of the buttons that were offered, by payload

async function start() {
  // The page brings the texts of its own language: what can be said must not hang on one more request.
  use(JSON.parse(document.getElementById("texts").textContent));
  const token = isFramed ? await tokenOfSite() : null;
  if (token && !kept.token) kept.token = token;
  if (kept.token) await show();
  const waiting = kept.queue;
  for (const entry of waiting) drawWaiting(entry);
  if (cursor === 0 && !waiting.length) enqueue({ button: "/greet" });
  for (const entry of waiting) send(entry);
  listen();
}

async function speak(language) {
  const response = await fetch(`${API}/texts/${language}`).catch(() => null);
  if (!response?.ok) return;
  use(await response.json());
}

function use(found) {
  ({ texts, languages, served, leave_to: leaveTo } = found);
  const language = found.language;
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
  for (const [id, key] of [["larger", "web.larger"], ["colours", "web.colours"]]) {
    const button = document.getElementById(id);
    button.title = texts[key];
    button.setAttribute("aria-label", texts[key]);
  }
  document.querySelector(".tagline").textContent = texts["page.tagline"];
  document.querySelector(".intro").textContent = texts["page.intro"];
}

// randomUUID exists on https and localhost only; a page on a local network has this.
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function enqueue(message) {
  const entry = { id: newId(), language: picker.value, ...message };
  kept.queue = [...kept.queue, entry];
  drawWaiting(entry);
  send(entry);
}

// Each message goes out on its own, so that none waits for another that fails; it stays in the queue until the server has it.
async function send(entry) {
  for (let failures = 0; kept.queue.some(({ id }) => id === entry.id); failures += 1) {
    const outcome = await post(entry);
    const bubble = document.getElementById(`m-${entry.id}`);
    if (outcome.isOver) {
      kept.queue = kept.queue.filter(({ id }) => id !== entry.id);
      bubble?.classList.remove("waiting");
      if (bubble) bubble.querySelector(".fate").textContent = texts[outcome.refusal ? "web.not_sent" : "web.delivered"];
      if (outcome.refusal && bubble) offerAgain(bubble, entry);
      say(outcome.refusal || "");
      if (!outcome.refusal) endApology();
      catchUp();
      return;
    }
    say(outcome.reason);
    const pause = outcome.afterMs ?? RETRY_MS[Math.min(failures, RETRY_MS.length - 1)];
    await new Promise((done) => setTimeout(done, pause));
  }
}

// One try. Without a token it goes out all the same: the server looks at what was written before it looks at anything else.
async function post(entry) {
  const begun = kept.token ? null : await begin();
  const { label, ...message } = entry;
  const response = await request("/messages", {
    method: "POST", headers: { ...authorization(), "Content-Type": "application/json" }, body: JSON.stringify(message),
  });
  if (response === null) return { reason: texts[navigator.onLine ? "web.unreachable" : "web.offline"] };
  const answer = await response.json().catch(() => ({}));
  if (answer.reply) await drawAtOnce(entry, answer);
  if (response.status === 202) return { isOver: true };
  if (response.status === 404 || response.status === 401) {
    if (response.status === 404) kept.token = null;
    return { reason: texts[begun || "error.no_conversation"] };
  }
  const other = texts[response.status < 500 ? "error.wrong_fields" : "error.server"];
  const why = (texts[answer.detail?.split?.(":")[0]] || other)?.replace("{limit}", input.maxLength);
  if (response.status === 429 || response.status === 408 || response.status >= 500) {
    const seconds = Number(response.headers.get("Retry-After"));
    return { reason: why, afterMs: seconds ? Math.min(seconds, 60) * 1000 : undefined };
  }
  return { isOver: true, refusal: why };
}

// Begins a conversation; returns the code of what is wrong where that fails.
async function begin() {
  const response = await request("/conversations", { method: "POST" });
  if (response === null) return "web.unreachable";
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) return answer.detail || "error.server";
  kept.token = answer.token;
  if (isFramed && !kept.isLasting) leaveTicket(answer.token);
  cursor = 0;
  listen();
  return null;
}

async function request(path, options) {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), ANSWER_MS);
  try { return await fetch(API + path, { ...options, signal: patience.signal }); } catch { return null; } finally { clearTimeout(timer); }
}

function authorization() {
  return kept.token ? { Authorization: `Bearer ${kept.token}` } : {};
}

// A person is writing, which is said for as long as they do; the robot never types.
const TYPING_MS = 6000;
let typing = null;
let typingEnds = 0;
function showTyping() {
  clearTimeout(typingEnds);
  typingEnds = setTimeout(hideTyping, TYPING_MS);
  if (typing) return;
  typing = Object.assign(document.createElement("p"), { className: "entry typing", textContent: `${texts["web.staff"]} …` });
  log.append(typing);
  log.scrollTo({ top: log.scrollHeight });
}
function hideTyping() {
  typing?.remove();
  typing = null;
}

// The whole conversation, after a reload.
async function show() {
  const response = await request("/messages", { headers: authorization() });
  if (response?.status === 404) { kept.token = null; return; }
  if (response?.ok) await take(await response.json());
}

async function catchUp() {
  if (!kept.token) return;
  const response = await request(`/messages?after=${cursor}`, { headers: authorization() });
  if (response?.ok) await take(await response.json());
}

// Server-sent events read by fetch, because EventSource can't send the token in a header.
async function listen() {
  stream?.abort();
  if (!kept.token) return;
  const mine = (stream = new AbortController());
  try {
    const response = await fetch(`${API}/events?after=${cursor}`, { headers: authorization(), signal: mine.signal });
    if (response.status === 404) { kept.token = null; return; }
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
        const [, name] = /^event: *(\w+)$/m.exec(event) ?? [];
        const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim()).join("");
        if (name === "gone") { kept.token = null; return; }
        if (name === "typing") showTyping();
        if (data && name === "entries") take(JSON.parse(data));
      }
    }
  } catch {
    if (mine.signal.aborted) return;
  }
  if (mine === stream) setTimeout(listen, RETRY_MS[2]);
}

// One transcript after the other: a reply in another language waits for the texts of that language.
let drawing = Promise.resolve();
function take(transcript) {
  drawing = drawing.then(async () => {
    for (const entry of transcript.entries) {
      if (entry.author === "person") drawPerson(entry.id, entry.text ?? labels.get(entry.button), { at: entry.at });
      else if (entry.cursor > cursor) await draw(entry.reply, entry.cursor, { at: entry.at });
    }
    cursor = Math.max(cursor, transcript.cursor);
  });
  return drawing;
}

function drawWaiting(entry) {
  drawPerson(entry.id, entry.text ?? entry.label, { isWaiting: true });
}

// What was refused can be taken back into the field and mended.
function offerAgain(bubble, entry) {
  bubble.classList.add("failed");
  if (!entry.text) return;
  const again = document.createElement("button");
  again.type = "button";
  again.textContent = texts["web.failed"];
  again.addEventListener("click", () => { input.value = entry.text; bubble.remove(); input.focus(); });
  bubble.append(again);
}

function drawPerson(id, text, { at, isWaiting = false }) {
  if (!text || document.getElementById(`m-${id}`)) return;
  const bubble = document.createElement("div");
  bubble.id = `m-${id}`;
  bubble.className = `entry person${isWaiting ? " waiting" : ""}`;
  bubble.dir = "auto";
  bubble.append(hidden(`${texts["web.you"]}: `), text, when(at, texts[isWaiting ? "web.sending" : "web.delivered"]));
  log.append(bubble);
  log.scrollTo({ top: log.scrollHeight });
}

// A reply that came with the response itself: help in danger once for each message, an apology once until things work again.
async function drawAtOnce(entry, { reply, cursor: at }) {
  const id = reply.is_urgent ? `h-${entry.id}` : "sorry";
  const shown = document.getElementById(id);
  if (shown && at) shown.id = `r-${at}`; // stored meanwhile: the stream must not draw it again
  if (document.getElementById(id) || (at && document.getElementById(`r-${at}`)) || (!reply.is_urgent && isApologised)) return;
  if (!reply.is_urgent) isApologised = true;
  await draw(reply, at ?? 0, { id });
}

// Things work again: what fails after this is said anew, with its own numbers.
function endApology() {
  isApologised = false;
  document.getElementById("sorry")?.removeAttribute("id");
}

async function draw(reply, cursorOf = 0, { id = null, at } = {}) {
  if (cursorOf && document.getElementById(`r-${cursorOf}`)) return;
  // The page speaks as the conversation does; one in a language of emergencies keeps it, whatever the answers are in.
  const spoken = document.documentElement.lang;
  if (reply.language !== spoken && served.includes(reply.language) && served.includes(spoken)) await speak(reply.language);
  if (cursorOf && document.getElementById(`r-${cursorOf}`)) return; // drawn meanwhile
  hideTyping();
  for (const button of reply.buttons) labels.set(button.payload, button.label);
  const drawn = renderReply(reply, texts, { direction: languages[reply.language]?.direction || "auto", press, shareLocation });
  if (cursorOf || id) drawn.id = cursorOf ? `r-${cursorOf}` : id;
  if (reply.author === "staff") drawn.prepend(Object.assign(document.createElement("p"), { className: "by", textContent: texts["web.staff"] }));
  else drawn.prepend(hidden(`${texts["web.bot"]}: `));
  const foot = when(at);
  foot.append(aloudButton(reply, texts));
  drawn.append(foot);
  log.append(drawn);
  log.scrollTo({ top: drawn.offsetTop - 8 });
}

function press(button) {
  enqueue({ button: button.payload, label: button.label });
}

// Browsers give no position to a page on plain http, and some have none to give: a town can be written.
function shareLocation() {
  const instead = () => input.focus();
  if (!navigator.geolocation) return instead();
  navigator.geolocation.getCurrentPosition(
    ({ coords }) => enqueue({ position: { latitude: coords.latitude, longitude: coords.longitude } }), instead,
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
  tellSite("leave");
  silence();
  if (kept.token) fetch(`${API}/conversation`, { method: "DELETE", headers: authorization(), keepalive: true });
  kept.clear();
  stream?.abort();
  document.body.replaceChildren();
  if (!isFramed) location.replace(leaveTo);
});
window.addEventListener("online", () => { say(texts["web.online"]); listen(); catchUp(); });
window.addEventListener("offline", () => say(texts["web.offline"]));
// A phone that was in the pocket has lost the stream without a word.
document.addEventListener("visibilitychange", () => { if (!document.hidden) { catchUp(); listen(); } });
window.addEventListener("pageshow", ({ persisted }) => { if (persisted) { catchUp(); listen(); } });
// A phone's keyboard covers the page without making it smaller: what is left of it is the page, with the newest at its end.
window.visualViewport?.addEventListener("resize", () => {
  if (isFramed) return; // the site makes the frame fit
  const wasAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  document.body.style.height = `${visualViewport.height}px`;
  if (wasAtEnd || document.activeElement === input) log.scrollTo({ top: log.scrollHeight, behavior: "instant" });
  window.scrollTo(0, 0);
});
window.addEventListener("resize", () => { if (document.activeElement === input) log.scrollTo({ top: log.scrollHeight, behavior: "instant" }); });
installLook(kept, say);
onFocus(() => (matchMedia("(hover: hover)").matches ? input : log).focus());

start();
