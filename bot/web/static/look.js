// How large the letters are and which colours the page has; kept on the phone where somebody chose.

const SIZES = [100, 125, 150, 200]; // per cent
const COLOURS = ["auto", "dark", "contrast", "light"];
const KEY = "wegwijs.look";

// Makes the two buttons work. `kept`: what the phone keeps; `say`: tells what is chosen now to whoever doesn't see it.
export function installLook(kept, say) {
  const [larger, colours] = ["larger", "colours"].map((id) => document.getElementById(id));
  let [size, colour] = (kept.read(KEY) || "").split(" ");
  apply();
  larger.addEventListener("click", () => {
    size = after(SIZES, Number(size));
    choose(`${larger.title}: ${size} %`);
  });
  colours.addEventListener("click", () => {
    colour = after(COLOURS, colour);
    choose(colours.title);
  });

  function choose(what) {
    kept.write(KEY, `${size || SIZES[0]} ${colour || COLOURS[0]}`);
    apply();
    say(what);
  }
  function apply() {
    const root = document.documentElement;
    root.style.fontSize = SIZES.includes(Number(size)) && Number(size) !== 100 ? `${size}%` : "";
    if (COLOURS.includes(colour) && colour !== COLOURS[0]) root.dataset.colours = colour; else delete root.dataset.colours;
  }
}

// The next of some choices, the first one after the last; what is not among them counts as the first.
function after(choices, now) { return choices[(Math.max(choices.indexOf(now), 0) + 1) % choices.length]; }
