// What it does and why: README, "Beacon".
(() => {
  if (window.paperfeed) return;
  window.paperfeed = 1;
  const { dataset, src } = document.currentScript;
  const url = new URL("v1/events", dataset.api || src);
  const cards = "[data-slate] [data-paper],[data-slate][data-paper]";
  const memory = {};
  const flying = new Set();
  const counted = new Set();
  const near = new Set();
  const timers = new Map();
  const reading = new Map();
  let disk = {}, timer, fails = 0, wait = 0;
  try { disk = localStorage || disk; } catch {}

  const queued = () => Object.keys(disk).concat(Object.keys(memory)).sort()
    .filter((key) => /^paperfeed\.\d/.test(key) && !flying.has(key));
  const drop = (key) => {
    delete disk[key];
    delete memory[key];
  };
  const log = (kind, [paper_id, slate], value) => {
    if (!slate) return;
    const blob = URL.createObjectURL(new Blob());
    URL.revokeObjectURL(blob);
    const id = blob.slice(-36);
    const key = "paperfeed." + Date.now() + id;
    const text = slate + " " + JSON.stringify({ id, kind, paper_id, occurred_at: new Date(), value });
    try { disk[key] = text; } catch { memory[key] = text; }
    queued().slice(0, -1000).forEach(drop);
    timer ||= setTimeout(flush, 2000);
  };

  const flush = (isLast) => {
    clearTimeout(timer);
    timer = 0;
    while (navigator.onLine && (isLast || !flying.size)) {
      const pause = wait - Date.now();
      if (!isLast && pause > 0) return void (timer = setTimeout(flush, Math.min(pause, 1e6)));
      const events = [], keys = [];
      let slate;
      for (const key of queued()) {
        const [its, event] = (memory[key] || disk[key] || "").split(/ (.*)/s);
        if (event && keys.length < 50 && its === (slate ??= its)) {
          events.push(event);
          keys.push(key);
          flying.add(key);
        }
      }
      if (!keys.length) return;
      const body = `{"slate":"${slate}","sent_at":"${new Date().toJSON()}","events":[${events}]}`;
      fetch(url, { method: "POST", body, keepalive: true, signal: AbortSignal.timeout?.(3e4) }).then(({ status, headers }) => {
        if (!/202|4(?!08|29)../.test(status)) throw headers;
        keys.forEach(drop);
        fails = wait = 0;
      }).catch((headers) => {
        const least = 2 ** Math.min(++fails, 8) * (0.5 + Math.random());
        wait = Date.now() + 1000 * Math.max(least, headers.get?.("Retry-After") || 0);
      }).finally(() => {
        for (const key of keys) flying.delete(key);
        flush();
      });
    }
  };

  const named = (card) => [card.dataset.paper, card.closest("[data-slate]")?.dataset.slate];
  const see = (card) => {
    const name = named(card), { clicked = "impression" } = card.dataset;
    if (clicked && counted.size < counted.add("" + name).size) log(clicked, name);
  };
  const clock = () => {
    const now = performance.now();
    for (const card of new Set([...near, ...reading.keys()])) {
      const [since, name] = reading.get(card) || [];
      if (near.has(card) && card.matches("[data-read],:has(details[open])")) {
        if (!name) reading.set(card, [now, named(card)]);
      } else {
        reading.delete(card);
        if (now - since > 1000) log("read", name, (now - since) / 1000);
      }
    }
  };
  const stop = (card) => {
    clearTimeout(timers.get(card));
    timers.delete(card);
  };
  const watcher = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting, intersectionRatio } of entries) {
      near[isIntersecting ? "add" : "delete"](target);
      if (intersectionRatio < 0.5) stop(target);
      else if (!timers.has(target)) timers.set(target, setTimeout(see, 1000, target));
    }
    clock();
  }, { threshold: [0, 0.5] });
  const rest = () => {
    watcher.disconnect();
    near.clear();
    clock();
    for (const card of timers.keys()) stop(card);
  };
  const scan = (changes) => {
    if (changes?.some?.((change) => change.attributeName)) rest();
    if (!document.hidden) for (const card of document.querySelectorAll(cards)) watcher.observe(card);
  };
  const leave = () => {
    rest();
    flush(true);
  };
  const press = ({ button, detail, target }) => {
    const pressed = button < 2 && detail < 2 && target.closest?.("a[href]:not(.by),[data-event]");
    const card = pressed && pressed.closest(cards);
    if (card) log(pressed.dataset.event || "click", named(card));
  };
  new MutationObserver(scan).observe(document, { attributeFilter: ["data-paper", "data-slate"], childList: true, subtree: true });
  for (const [name, act] of Object.entries({
    click: press, auxclick: press, toggle: clock, online: () => flush(), pageshow: scan, pagehide: leave,
    visibilitychange: () => (document.hidden ? leave() : scan()),
  })) addEventListener(name, act, true);
  scan();
  flush();
})();
