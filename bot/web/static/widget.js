// The chat on any website: <script src="https://…/widget.js" data-lang="pl" async></script> (docs/widget.md).
// Draws a button; the chat itself is our own page in a frame, made when somebody opens it. Until then nothing is kept anywhere.
(() => {
  "use strict";
  const KNOWN = ["lang", "side"];
  const OPEN = "wegwijs.open"; // the chat stays open on the next page of the site
  const TICKET = "wegwijs.ticket"; // of the conversation, sealed: for browsers that let the frame keep nothing
  const MARK = Symbol.for("wegwijs.widget");
  const STYLE = `
    :host { all: initial !important; position: fixed !important; z-index: 2147483647 !important; inset: auto auto 16px 16px !important; display: block !important; color-scheme: light dark; }
    :host([data-side="right"]) { inset: auto 16px 16px auto !important; }
    [hidden] { display: none !important; }
    button { box-sizing: border-box; min-width: 44px; min-height: 44px; border: 2px solid #fff; cursor: pointer; background: #0b5f59; color: #fff; font: 600 16px/1.3 system-ui, "Segoe UI", Roboto, "Noto Sans", "Noto Sans Arabic", sans-serif; }
    button:focus-visible { outline: 3px solid #0b5f59; outline-offset: 3px; }
    .open { max-width: calc(100vw - 32px); padding: 10px 20px; border-radius: 28px; box-shadow: 0 3px 14px rgb(0 0 0 / .35); }
    .panel { position: fixed; bottom: 16px; left: 16px; width: min(420px, calc(100vw - 32px)); height: min(680px, calc(var(--height, 100vh) - 32px)); background: #f4f1ea; border: 1px solid #4d5b59; border-radius: 16px; overflow: hidden; box-shadow: 0 8px 40px rgb(0 0 0 / .4); }
    :host([data-side="right"]) .panel { left: auto; right: 16px; }
    iframe { display: block; width: 100%; height: 100%; border: 0; }
    .close { position: absolute; top: 8px; right: 8px; width: 44px; height: 44px; padding: 0; border-radius: 50%; font-size: 22px; }
    @media (max-width: 480px), (max-height: 480px) {
      .panel, :host([data-side="right"]) .panel { inset: var(--top, 0) 0 auto 0; width: 100%; height: var(--height, 100%); border: 0; border-radius: 0; }
    }
    @media (prefers-color-scheme: dark) { .panel { background: #101716; } button:focus-visible { outline-color: #7fd6cc; } }
    @media print { :host { display: none !important; } }`;

  const script = document.currentScript || document.querySelector('script[src*="/widget.js"]');
  const service = new URL(script.src).origin;
  const warn = (text) => console.warn(`Wegwijs: ${text}`);
  // Of this tab, in a page that may keep something.
  const memory = {
    read(key) { try { return sessionStorage.getItem(key); } catch { return null; } },
    write(key, value) { try { sessionStorage.setItem(key, value); } catch { /* then the chat is closed on the next page */ } },
    clear(...keys) { try { for (const key of keys) sessionStorage.removeItem(key); } catch { /* there is nothing */ } },
  };

  if (window[MARK]) { warn("the script is on this page twice; the second one does nothing."); return; }
  window[MARK] = true;
  start();

  async function start() {
    const wish = options();
    const known = await ask(wish.lang);
    if (!known) return;
    if (wish.isGiven && known.language !== wish.lang) {
      warn(`data-lang="${wish.lang}" is no language of this chat; there are ${known.languages.join(", ")}. It opens in "${known.language}".`);
    }
    if (document.readyState === "loading") await new Promise((done) => document.addEventListener("DOMContentLoaded", done, { once: true }));
    draw(known, wish.side);
  }

  // What the webmaster wrote; whatever is wrong is said in the console and left out.
  function options() {
    const given = script.dataset;
    for (const name of Object.keys(given)) {
      if (!KNOWN.includes(name)) warn(`data-${name} is not known here; there are ${KNOWN.map((one) => `data-${one}`).join(" and ")}.`);
    }
    const side = given.side || "right";
    if (side !== "right" && side !== "left") warn(`data-side="${side}" must be "left" or "right".`);
    const lang = (given.lang || document.documentElement.lang || "").trim().toLowerCase().split("-")[0];
    return { lang, isGiven: Boolean(given.lang), side: side === "left" ? "left" : "right" };
  }

  async function ask(lang) {
    try {
      const response = await fetch(`${service}/widget.json?lang=${encodeURIComponent(lang)}`, { credentials: "omit" });
      if (response.ok) return await response.json();
      warn(`${service} answers ${response.status}; the chat is not shown.`);
    } catch {
      warn(`${service} can't be reached from this page, and the chat is not shown. Is ${location.origin} among its ALLOWED_ORIGINS? `
        + (location.protocol === "https:" && service.startsWith("http:") ? "A page on https can't show a chat on http. " : "")
        + `Does this page's Content-Security-Policy have connect-src and frame-src ${service}?`);
    }
    return null;
  }

  function draw(known, side) {
    const host = document.createElement("div");
    host.id = "wegwijs";
    host.dataset.side = side;
    host.lang = known.language;
    host.dir = known.direction;
    const root = host.attachShadow({ mode: "open" });
    style(root);
    const button = make("button", { type: "button", className: "open", textContent: known.open });
    const panel = make("div", { className: "panel", hidden: true });
    const close = make("button", { type: "button", className: "close", textContent: "×" });
    button.setAttribute("aria-haspopup", "dialog");
    button.setAttribute("aria-expanded", "false");
    panel.setAttribute("role", "dialog");
    panel.setAttribute("aria-label", known.title);
    close.setAttribute("aria-label", known.close);
    close.title = known.close;
    panel.append(close);
    root.append(button, panel);
    // Beside the body and not in it: a body that is moved, filtered or replaced leaves the chat where it is.
    document.documentElement.append(host);
    let frame = null;
    let isReady = false;

    function show(byHand) {
      memory.write(OPEN, "1");
      if (!frame) {
        frame = make("iframe", { title: `${known.title}: ${known.conversation}`, allow: "geolocation", referrerPolicy: "no-referrer" });
        frame.src = `${service}/embed?lang=${known.language}&site=${encodeURIComponent(location.origin)}`;
        panel.append(frame);
      }
      panel.hidden = false;
      button.hidden = true;
      button.setAttribute("aria-expanded", "true");
      fit();
      if (byHand) focus();
    }
    function focus() {
      frame.focus();
      if (isReady) frame.contentWindow.postMessage({ wegwijs: "focus" }, service);
    }
    function hide() {
      memory.clear(OPEN);
      panel.hidden = true;
      button.hidden = false;
      button.setAttribute("aria-expanded", "false");
      button.focus();
    }
    // The screen is empty before the other page is there, however long that takes.
    function leave() {
      memory.clear(OPEN, TICKET);
      document.documentElement.replaceChildren();
      location.replace(known.leave_to);
    }
    // The keyboard of a phone covers the page without making it smaller.
    function fit() {
      if (!window.visualViewport) return;
      panel.style.setProperty("--top", `${visualViewport.offsetTop}px`);
      panel.style.setProperty("--height", `${visualViewport.height}px`);
    }

    button.addEventListener("click", () => show(true));
    close.addEventListener("click", hide);
    panel.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.stopPropagation(); hide(); } });
    window.addEventListener("message", (event) => {
      if (event.origin !== service || !frame || event.source !== frame.contentWindow) return;
      const { wegwijs: said, ticket } = event.data || {};
      if (said === "leave") leave();
      if (said === "close") hide();
      if (said === "keep") memory.write(TICKET, ticket);
      if (said === "ready") {
        isReady = true;
        frame.contentWindow.postMessage({ wegwijs: "ticket", ticket: memory.read(TICKET) }, service);
        if (root.activeElement === frame) focus();
      }
    });
    if (window.visualViewport) for (const change of ["resize", "scroll"]) visualViewport.addEventListener(change, fit);
    if (memory.read(OPEN)) show(false);
  }

  // A style sheet made in script passes a policy without 'unsafe-inline'; an old browser gets an element with the script's nonce.
  function style(root) {
    try {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      root.adoptedStyleSheets = [sheet];
    } catch {
      root.append(make("style", { nonce: script.nonce, textContent: STYLE }));
    }
  }

  function make(tag, properties) { return Object.assign(document.createElement(tag), properties); }
})();
