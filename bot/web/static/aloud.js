// Reading an answer aloud, with voices of the device itself. Those that a browser's maker computes elsewhere would be sent what
// somebody is told here, and are not used.

const speech = window.speechSynthesis;
const offered = new Set();
let reading = null; // the button of what is being read

// A button that reads a reply; it shows itself where the device has a voice for the reply's language.
export function aloudButton(reply, texts) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "aloud" });
  const label = (key) => { button.textContent = texts[key]; };
  label("web.listen");
  button.lang = document.documentElement.lang;
  const offer = { button, label, language: reply.language };
  button.addEventListener("click", () => {
    const wasReading = reading === offer;
    silence();
    if (!wasReading) read(offer, sentences(reply));
  });
  offered.add(offer);
  show(offer);
  return button;
}

// Stop at once: somebody leaves, or listens to something else.
export function silence() {
  speech?.cancel();
  reading?.label("web.listen");
  reading = null;
}

function read(offer, lines) {
  const voice = voiceOf(offer.language);
  if (!voice) return;
  reading = offer;
  offer.label("web.quiet");
  for (const line of lines) {
    const utterance = Object.assign(new SpeechSynthesisUtterance(line), { voice, lang: voice.lang });
    if (line === lines.at(-1)) utterance.onend = () => { if (reading === offer) silence(); };
    speech.speak(utterance);
  }
}

// Numbers to call are read digit by digit.
function sentences(reply) {
  const contacts = reply.contacts.map((card) => [card.name, (card.phone || "").replace(/\d/g, "$& ")].join(": "));
  const sections = reply.sections.flatMap((section) => [section.heading, ...section.items]);
  return [...reply.warnings, reply.title, reply.text, ...sections, ...contacts, reply.note].filter(Boolean)
    .map((line) => line.replaceAll("**", ""));
}

function voiceOf(language) {
  const isOf = ({ lang, localService }) => localService && lang.toLowerCase().split(/[-_]/)[0] === language;
  return speech?.getVoices().find(isOf);
}

function show(offer) { offer.button.hidden = !voiceOf(offer.language); }

speech?.addEventListener?.("voiceschanged", () => offered.forEach(show));
window.addEventListener("pagehide", silence);
