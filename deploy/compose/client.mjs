/**
 * The demo's client: a new connection every EVERY ms whatever became of the last, one line every 0.5 s with
 * who answered ("-": nobody), and after each outage its length.
 */
import { get } from "node:http";

const TARGET = process.env.TARGET;
const EVERY = 100;
const TIMEOUT = 400;
const REPORT = 500;
/** An outage is over after so many answers in a row: a dead web server fails every second request only. */
const CALM = 10;

for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));

/** In order of their start; `server` undefined: lost. Reported from the front, as far as they are settled. */
const requests = [];
let answeredOnce = false;
let outage;

setInterval(() => {
  const request = { at: performance.now(), settled: false, server: undefined };
  requests.push(request);
  ask((server) => Object.assign(request, { settled: true, server }));
}, EVERY);

setInterval(() => {
  const line = [];
  while (requests[0]?.settled) {
    const request = requests.shift();
    line.push(request.server ?? "-");
    count(request);
  }
  if (line.length > 0) say(line.join(" "));
}, REPORT);

function ask(done) {
  const sent = get(TARGET, { agent: false, signal: AbortSignal.timeout(TIMEOUT) }, (response) => {
    let body = "";
    response.setEncoding("utf8");
    response.on("data", (text) => {
      body += text;
    });
    response.on("end", () => done(response.statusCode === 200 ? body.trim() : undefined));
    response.on("error", () => done(undefined));
  });
  sent.on("error", () => done(undefined));
}

/** Outage: from the first lost request to the first one after the last lost. */
function count({ at, server }) {
  if (server === undefined) {
    // Before the first answer there is nothing to lose: the directors are still starting.
    if (!answeredOnce) return;
    outage ??= { first: at, lost: 0 };
    Object.assign(outage, { last: at, lost: outage.lost + 1, calm: 0 });
  } else {
    answeredOnce = true;
    if (outage && ++outage.calm === CALM) {
      say(`OUTAGE over: ${Math.round(outage.last - outage.first + EVERY)} ms, ${outage.lost} requests lost`);
      outage = undefined;
    }
  }
}

function say(text) {
  console.log(`${new Date().toISOString().slice(11, 23)}  ${text}`);
}
