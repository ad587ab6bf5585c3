// The time of a message, and what became of it: quiet, under the message.
export function when(at, fate = "") {
  const foot = document.createElement("p");
  foot.className = "when";
  foot.lang = document.documentElement.lang;
  foot.dir = document.documentElement.dir;
  const moment = at ? new Date(at) : new Date();
  const isToday = moment.toDateString() === new Date().toDateString();
  const day = isToday ? {} : { day: "numeric", month: "short" };
  const time = document.createElement("time");
  time.dateTime = moment.toISOString();
  time.textContent = moment.toLocaleString(document.documentElement.lang, { ...day, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const what = document.createElement("span");
  what.className = "fate";
  what.textContent = fate;
  foot.append(time, " ", what);
  return foot;
}
