// Draws a reply (actions/reply.py) as elements. Text is set as text, never as HTML; **bold** is the only markup.

export function renderReply(reply, texts, { direction, press, shareLocation }) {
  const box = make("article", { className: `entry bot${reply.is_urgent ? " urgent" : ""}${reply.author === "staff" ? " staff" : ""}` });
  box.lang = reply.language;
  box.dir = direction;
  if (reply.notice) box.append(make("p", { className: "note" }, reply.notice));
  for (const warning of reply.warnings) box.append(withBold(make("p", { className: "warning" }), warning));
  if (reply.title) box.append(make("h2", {}, reply.title));
  // In danger the numbers to press come before anything there is to read.
  if (reply.is_urgent) box.append(numbers(reply.contacts, texts));
  if (reply.text) box.append(withBold(make("p", { className: "text" }), reply.text));
  for (const section of reply.sections) box.append(list(section));
  if (reply.contacts.length) box.append(contacts(reply, texts));
  for (const link of reply.links) box.append(outside(link.label, link.url));
  if (reply.sources.length) box.append(sources(reply, texts));
  if (reply.note) box.append(make("p", { className: "note" }, reply.note));
  if (reply.question) box.append(make("p", { className: "question" }, reply.question));
  const buttons = make("div", { className: "buttons" });
  if (reply.asks_location && "geolocation" in navigator) {
    const share = make("button", { type: "button" }, texts["button.location"]);
    share.addEventListener("click", shareLocation);
    buttons.append(share);
  }
  for (const button of reply.buttons) {
    const made = make("button", { type: "button" }, button.label);
    made.dir = "auto";
    made.addEventListener("click", () => press(button));
    buttons.append(made);
  }
  if (buttons.childElementCount) box.append(buttons);
  return box;
}

function list({ heading, kind, items }) {
  const section = make("section", {});
  section.append(make("h3", {}, heading));
  const entries = make(kind === "steps" ? "ol" : "ul", {});
  for (const item of items) entries.append(withBold(make("li", {}), item));
  section.append(entries);
  return section;
}

function numbers(cards, texts) {
  const row = make("div", { className: "reach" });
  for (const card of cards) if (card.phone) row.append(call(card, texts));
  return row;
}

function call(card, texts) {
  const link = make("a", { className: "call", href: `tel:${card.phone.replace(/[^+\d]/g, "")}` }, card.phone);
  link.setAttribute("aria-label", `${texts["web.call"].replace("{phone}", card.phone)}, ${card.name}`);
  return link;
}

function contacts(reply, texts) {
  const section = make("section", { className: "cards" });
  if (reply.contacts_heading) section.append(make("h3", {}, reply.contacts_heading));
  for (const card of reply.contacts) {
    const box = make("div", { className: "card" });
    box.append(make("h4", {}, card.name), make("p", {}, card.what_for));
    card.notes.forEach((note, index) => {
      box.append(make("p", { className: card.is_open && index === 0 ? "open" : "" }, note));
    });
    const reach = make("div", { className: "reach" });
    if (card.phone) reach.append(call(card, texts));
    if (card.whatsapp) reach.append(outside("WhatsApp", `https://wa.me/${card.whatsapp.replace(/\D/g, "")}`));
    if (card.url) reach.append(outside(card.url.replace(/^https?:\/\/(www\.)?/, "").split("/")[0], card.url));
    if (reach.childElementCount) box.append(reach);
    section.append(box);
  }
  return section;
}

function sources(reply, texts) {
  const details = make("details", {});
  details.append(make("summary", {}, texts["web.show_sources"]));
  const entries = make("ul", {});
  for (const source of reply.sources) {
    const entry = make("li", {});
    entry.append(source.url ? outside(source.title, source.url) : source.title, `, ${source.checked}`);
    entries.append(entry);
  }
  details.append(entries);
  return details;
}

function outside(label, url) {
  return make("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, label);
}

function withBold(element, text) {
  text.split(/\*\*(.+?)\*\*/).forEach((part, index) => element.append(index % 2 ? make("strong", {}, part) : part));
  return element;
}

function make(tag, properties, text) {
  const element = Object.assign(document.createElement(tag), properties);
  if (text !== undefined) element.textContent = text;
  return element;
}
