/** What cannot work ends at once with a clear message on stderr, a status that is not 0, and nothing left behind. */
import { chmodSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { type ExecResult, Lab, type Namespace, waitFor } from "../support/lab.ts";
import { projectRoot } from "../support/root.ts";
import { Vipward } from "../support/vipward.ts";

const GOOD = `vrrp_instance:
  VI_1:
    interface: eth0
    virtual_router_id: 51
    priority: 150
    virtual_ipaddress: [10.99.0.100/24]
`;
const SERVICE = `virtual_server:
  10.99.0.100 80:
    lb_algo: rr
    lb_kind: NAT
    real_server: { 10.99.0.21 80: { weight: 1, TCP_CHECK: { connect_timeout: 1 } } }
`;

interface Setting {
  readonly lab: Lab;
  readonly node: Namespace;
  readonly runDir: string;
  readonly stateDir: string;
  /** `vipward run` to its end. */
  run(config: string | undefined, options?: RunOptions): Promise<ExecResult>;
}

interface RunOptions {
  readonly args?: readonly string[];
  /** Before the command: ["setpriv", ...]. */
  readonly as?: readonly string[];
  readonly runDir?: string;
}

function inSetting(work: (setting: Setting) => Promise<void>): () => Promise<void> {
  return async () => {
    const lab = new Lab();
    try {
      const lan = await lab.lan();
      const node = await lab.node("a", [{ lan, addresses: ["10.99.0.11/24"] }]);
      const [runDir, stateDir] = [path.join(lab.dir, "run"), path.join(lab.dir, "state")];
      const file = path.join(lab.dir, "vipward.yaml");
      const run: Setting["run"] = (config, { args = [], as = [], runDir: where = runDir } = {}) => {
        if (config !== undefined) writeFileSync(file, config);
        const argv = [...as, process.execPath, path.join(projectRoot, "dist", "main.js"), "run", "-c", file];
        argv.push("--run-dir", where, "--state-dir", stateDir, ...args);
        return lab.exec(node, argv, { check: false, timeout: 40_000 });
      };
      await work({ lab, node, runDir, stateDir, run });
    } finally {
      await lab.close();
    }
  };
}

/** No VIP, no process, no socket. */
async function expectNothingLeft({ lab, node, runDir }: Setting): Promise<void> {
  expect(await lab.addresses(node, "eth0")).not.toContain("10.99.0.100/24");
  expect(await lab.pids(node)).toEqual([]);
  expect(existsSync(path.join(runDir, "vipward.sock"))).toBe(false);
}

/** Each case: what is wrong, the file, and what the message must say. */
const FILES = [
  {
    name: "broken YAML",
    config: `${GOOD}  VI_2: [unclosed\n`,
    says: [/vipward\.yaml:\d+:\d+: error/],
  },
  {
    name: "an unknown key",
    config: GOOD.replace("priority", "prioritty"),
    says: [/vipward\.yaml:5:5: error/, /prioritty/, /priority/],
  },
  {
    name: "a value out of range and a wrong address, both at once",
    config: GOOD.replace("51", "512").replace("10.99.0.100/24", "10.99.0.300/24"),
    says: [/vipward\.yaml:4:\d+: error/, /vipward\.yaml:6:\d+: error/],
  },
  { name: "an empty file", config: "", says: [/vipward\.yaml/] },
  { name: "no file", config: undefined, says: [/vipward\.yaml/, /no such file|does not exist|ENOENT/i] },
  {
    name: "a missing interface",
    config: GOOD.replace("eth0", "eth7"),
    says: [/VI_1/, /eth7/, /does not exist/, /eth0/],
  },
  {
    name: "a missing interface of a VIP",
    config: GOOD.replace("10.99.0.100/24", "10.99.0.100/24 dev eth8"),
    says: [/VI_1/, /eth8/, /does not exist/],
  },
  {
    name: "another node's name",
    config: `nodes: { lb01: {}, lb02: {} }\n${GOOD}`,
    args: ["--node", "lb03"],
    says: [/lb03/, /lb01/],
  },
] as const;

describe.concurrent("vipward run refuses", () => {
  for (const { name, config, says, ...more } of FILES) {
    it(
      name,
      inSetting(async (setting) => {
        const { code, stderr, stdout } = await setting.run(config, more);
        expect(code).toBe(1);
        for (const what of says) expect(stderr).toMatch(what);
        expect(stderr).not.toMatch(/^\s+at .*\(.*:\d+:\d+\)/m);
        expect(stdout).toBe("");
        await expectNothingLeft(setting);
      }),
    );
  }

  it(
    "an unknown option and an unknown command, with the usage status 64",
    inSetting(async (setting) => {
      const { code, stderr } = await setting.run(GOOD, { args: ["--no-such-option"] });
      expect(code).toBe(64);
      expect(stderr).toContain("--no-such-option");
      await expectNothingLeft(setting);
    }),
  );

  it(
    "a user without rights: says what is missing",
    inSetting(async (setting) => {
      const { lab } = setting;
      // It must fail for want of capabilities, not because it cannot read its files.
      for (const dir of ["run", "state"])
        await lab.exec(setting.node, ["install", "-d", "-o", "nobody", path.join(lab.dir, dir)]);
      chmodSync(lab.dir, 0o755);
      const as = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--"];
      const { code, stderr } = await setting.run(GOOD, { as });
      expect(code).toBe(1);
      expect(stderr).toMatch(/CAP_NET_RAW|CAP_NET_ADMIN|root/);
      await expectNothingLeft(setting);
    }),
  );

  it(
    "a run folder that cannot be made or written",
    inSetting(async (setting) => {
      const blocked = path.join(setting.lab.dir, "a-file");
      writeFileSync(blocked, "");
      const { code, stderr } = await setting.run(GOOD, { runDir: path.join(blocked, "run") });
      expect(code).toBe(1);
      expect(stderr).toContain(blocked);
      expect(stderr).toContain("--run-dir");
      await expectNothingLeft(setting);
      const readOnly = "/proc/sys/vipward";
      const second = await setting.run(GOOD, { runDir: readOnly });
      expect(second.code).toBe(1);
      expect(second.stderr).toContain(readOnly);
      await expectNothingLeft(setting);
    }),
  );

  it(
    "a run folder that everybody may write to",
    inSetting(async (setting) => {
      const open = path.join(setting.lab.dir, "open");
      await setting.lab.exec(setting.node, ["install", "-d", "-m", "0777", open]);
      const { code, stderr } = await setting.run(GOOD, { runDir: open });
      expect(code).toBe(1);
      expect(stderr).toContain(`chmod o-w ${open}`);
      expect(readdirSync(open)).toEqual([]);
    }),
  );

  it(
    "a service's port that is in use (userspace dataplane), naming it",
    inSetting(async (setting) => {
      const { lab, node } = setting;
      const script = `require("node:net").createServer().listen(80, "0.0.0.0", () => console.log("listening"))`;
      const squatter = lab.spawn(node, [process.execPath, "-e", script]);
      await squatter.waitLine(/listening/);
      const { code, stderr } = await setting.run(GOOD + SERVICE, { args: ["--dataplane", "userspace"] });
      expect(code).toBe(1);
      expect(stderr).toContain("10.99.0.100:80");
      expect(stderr).toMatch(/another program listens/);
      await squatter.stop();
      await expectNothingLeft(setting);
    }),
  );

  it(
    "a second daemon in one network namespace, naming the first's pid; the first is not disturbed",
    inSetting(async (setting) => {
      const { lab, node } = setting;
      const first = await Vipward.start(lab, node, `nodes: { a: {} }\n${GOOD}`);
      await waitFor(async () => (await lab.addresses(node, "eth0")).includes("10.99.0.100/24"));
      const { code, stderr } = await setting.run(GOOD, { runDir: first.runDir });
      expect(code).toBe(1);
      expect(stderr).toContain(`pid ${first.pid}`);
      expect(await lab.addresses(node, "eth0")).toContain("10.99.0.100/24");
      expect(await first.api("/livez")).toMatchObject({ status: 200 });
      await first.stop();
      await expectNothingLeft({ ...setting, runDir: first.runDir });
    }),
  );

  it(
    "status and reload where no daemon runs",
    inSetting(async ({ lab, node, runDir }) => {
      for (const command of ["status", "reload"]) {
        const argv = [
          process.execPath,
          path.join(projectRoot, "dist", "main.js"),
          command,
          "--run-dir",
          runDir,
        ];
        const { code, stderr } = await lab.exec(node, argv, { check: false });
        expect(code).toBe(1);
        expect(stderr).toContain("no vipward is running here");
      }
    }),
  );
});
