/** A test to be killed: makes a lab with a process in it, says so, and waits (see test/netns/lab.test.ts). */
import { Lab } from "./lab.ts";

const lab = new Lab();
const lan = await lab.lan();
const node = await lab.node("a", [{ lan }]);
const sleeper = lab.spawn(node, ["setsid", "sleep", "1000"]);
console.log(`ready ${lab.id} ${lab.dir} ${sleeper.pid}`);
setInterval(() => {}, 1000);
