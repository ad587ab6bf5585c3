// What is kept on the phone: the token, what was written but not yet accepted, and the look. A browser that keeps nothing for anybody
// (private windows, a full memory) still has the page itself to keep it in: what can't be kept must be sent all the same.
const memory = new Map();
export const kept = {
  read(key) {
    if (memory.has(key)) return memory.get(key);
    try { return localStorage.getItem(key); } catch { return null; }
  },
  write(key, value) {
    memory.delete(key);
    try { value === null ? localStorage.removeItem(key) : localStorage.setItem(key, value); } catch { memory.set(key, value); }
  },
  get isLasting() { try { return Boolean(localStorage); } catch { return false; } },
  get token() { return kept.read("wegwijs.token"); },
  set token(value) { kept.write("wegwijs.token", value); },
  get queue() {
    try { return JSON.parse(kept.read("wegwijs.queue") || "[]").filter((entry) => entry?.id); } catch { return []; }
  },
  set queue(value) { kept.write("wegwijs.queue", JSON.stringify(value)); },
  clear() { for (const key of ["token", "queue", "look"]) kept.write(`wegwijs.${key}`, null); },
};
