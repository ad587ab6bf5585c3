// The chat inside a website (widget.js): the few words that frame and site tell each other. Nothing of the conversation is among them.

const SITE_MS = 1000; // a site that says nothing
const site = document.documentElement.dataset.site || "";

export const isFramed = Boolean(site) && window.parent !== window;

// A word to the site that the server let frame this page, and to no other.
export function tellSite(what, ticket) {
  if (isFramed) window.parent.postMessage({ wegwijs: what, ticket }, site);
}

// Where the frame may keep nothing, the site keeps a ticket for the tab: the token, sealed, so that the site's scripts can't use it.
export async function leaveTicket(token) {
  const ticket = await exchange("ticket", token);
  if (ticket) tellSite("keep", ticket);
}

// The token behind the ticket that the site kept; null where there is none, or the site says nothing.
export async function tokenOfSite() {
  const ticket = await new Promise((tell) => {
    setTimeout(tell, SITE_MS, null);
    hear("ticket", (said) => tell(said.ticket));
    tellSite("ready");
  });
  return ticket ? exchange("token", ticket) : null;
}

// What to do when the site's button was pressed.
export function onFocus(focus) { hear("focus", focus); }

function hear(word, then) {
  window.addEventListener("message", (event) => {
    if (isFramed && event.source === window.parent && event.origin === site && event.data?.wegwijs === word) then(event.data);
  });
}

async function exchange(path, value) {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ value }) };
  const response = await fetch(`/embed/${path}`, options).catch(() => null);
  return response?.ok ? (await response.json()).value : null;
}

if (isFramed) {
  window.addEventListener("keydown", (event) => { if (event.key === "Escape") tellSite("close"); });
}
