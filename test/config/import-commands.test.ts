import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { exportCommand } from "../../src/cli/export.ts";
import { importCommand } from "../../src/cli/import.ts";
import { loadConfig } from "../../src/config/load.ts";

let dir = "";
let out = "";
let err = "";
const at = (name: string, text?: string): string => {
  const path = join(dir, name);
  if (text !== undefined) writeFileSync(path, text);
  return path;
};

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "import-"));
  out = "";
  err = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    err += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(dir, { recursive: true });
});

const INSTANCE =
  "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n @main priority 200\n virtual_ipaddress { 192.0.2.10 }\n}\n";

describe("vipward import", () => {
  it("exit 0 and a file nobody else can read when all is carried over", async () => {
    const output = at("out.yaml");
    expect(await importCommand({ file: at("a.conf", INSTANCE), output, id: "main" })).toBe(0);
    expect(err).toBe("");
    expect(statSync(output).mode & 0o777).toBe(0o600);
    const loaded = loadConfig(output, { hostname: "x" });
    expect(loaded.ok && loaded.config.instances[0]?.priority).toBe(200);
    expect(readdirSync(dir).sort()).toEqual(["a.conf", "out.yaml"]);
  });

  it("exit 3 with warnings that name the line", async () => {
    expect(await importCommand({ file: at("a.conf", `${INSTANCE}use_pid_dir\n`) })).toBe(3);
    expect(err).toContain("a.conf:7:1: warning: left out: use_pid_dir has no counterpart in vipward");
    expect(err).toContain("imported with 1 warning");
    expect(out).toContain("virtual_router_id: 51");
  });

  it("exit 1, and nothing written, on errors; the old file stays", async () => {
    const output = at("out.yaml", "old\n");
    expect(await importCommand({ file: at("a.conf", `${INSTANCE}bogus 1\n`), output })).toBe(1);
    expect(err).toContain("not imported: 1 error, 0 warnings");
    expect(readFileSync(output, "utf8")).toBe("old\n");
    expect(await importCommand({ file: at("missing.conf") })).toBe(1);
    expect(err).toContain("no such file (ENOENT)");
    expect(await importCommand({ file: dir })).toBe(1);
    expect(await importCommand({ file: at("a.conf"), output: join(dir, "no", "dir.yaml") })).toBe(1);
  });

  it("exit 64 without a file, or with several", async () => {
    expect(await importCommand({})).toBe(64);
    expect(await importCommand({ file: "a", ipvsadm: "b" })).toBe(64);
  });

  it("scripts that are not there are left out, as keepalived does", async () => {
    const file = at(
      "a.conf",
      `vrrp_script s {\n script /nonexistent/check\n}\n${INSTANCE.replace("virtual_ip", "track_script { s }\n notify /nonexistent/notify\n virtual_ip")}`,
    );
    expect(await importCommand({ file })).toBe(3);
    expect(err).toContain('left out: script: "/nonexistent" does not exist');
    expect(err).toContain('left out: notify: "/nonexistent" does not exist');
    expect(err).toContain('left out: track_script: there is no "s"');
    expect(out).not.toContain("nonexistent");
  });

  it("--ipvsadm and --ldirectord", async () => {
    expect(await importCommand({ ipvsadm: at("rules", "-A -t 192.0.2.1:80 -s rr\n") })).toBe(0);
    expect(out).toContain("192.0.2.1 80:");
    expect(
      await importCommand({ ldirectord: at("l.cf", "virtual=192.0.2.2:80\n real=192.0.2.3:80 gate\n") }),
    ).toBe(0);
    expect(out).toContain("192.0.2.2 80:");
  });
});

describe("vipward export", () => {
  it("keepalived: what it has no words for is named, exit 3", async () => {
    const config = at(
      "a.yaml",
      `global_defs: { vip_lease: false, dataplane: userspace }
track_gateway: { gw: { address: 192.0.2.254, interface: eth0 } }
vrrp_instance:
  VI_1:
    interface: eth0
    virtual_router_id: 51
    virtual_ipaddress: [ 192.0.2.10 ]
    heartbeat_interfaces: [ eth1 ]
    track_gateway: [ gw ]
virtual_server:
  192.0.2.10 80:
    real_server:
      198.51.100.1 80:
        TCP_CHECK: { send: a, expect: b, rise: 2, delay_loop: 500ms }
        GRPC_CHECK:
        EXTERNAL:
`,
    );
    const output = at("out.conf");
    expect(await exportCommand({ config, format: "keepalived", output })).toBe(3);
    expect(err.replaceAll(config, "a.yaml").trimEnd().split("\n")).toMatchInlineSnapshot(`
      [
        "a.yaml: warning: left out: global_defs: keepalived has no dataplane",
        "a.yaml: warning: left out: global_defs: keepalived has no vip_lease",
        "a.yaml: warning: left out: keepalived has no track_gateway: gw",
        "a.yaml: warning: left out: vrrp_instance VI_1: keepalived has no heartbeat_interfaces",
        "a.yaml: warning: left out: vrrp_instance VI_1: keepalived has no track_gateway: gw",
        "a.yaml: warning: left out: tcp 192.0.2.10:80, real_server 198.51.100.1 80, TCP_CHECK: keepalived has no rise in a checker",
        "a.yaml: warning: left out: tcp 192.0.2.10:80, real_server 198.51.100.1 80, TCP_CHECK: keepalived has no send",
        "a.yaml: warning: left out: tcp 192.0.2.10:80, real_server 198.51.100.1 80, TCP_CHECK: keepalived has no expect",
        "a.yaml: warning: left out: tcp 192.0.2.10:80, real_server 198.51.100.1 80: keepalived has no GRPC_CHECK",
        "a.yaml: warning: left out: tcp 192.0.2.10:80, real_server 198.51.100.1 80: keepalived has no EXTERNAL",
      ]
    `);
    expect(readFileSync(output, "utf8")).toContain("delay_loop 0.5");
    expect(statSync(output).mode & 0o777).toBe(0o600);
  });

  it("a .conf exports, too; ipvsadm rules are a table only", async () => {
    const config = at(
      "a.conf",
      `${INSTANCE}virtual_server 192.0.2.10 80 {\n protocol TCP\n quorum 2\n sorry_server 192.0.2.9 80\n real_server 192.0.2.3 80 {\n  weight 2\n  TCP_CHECK {\n  }\n }\n}\n`,
    );
    expect(await exportCommand({ config, format: "keepalived", node: "main" })).toBe(0);
    expect(out).toContain("priority 200");
    expect(await exportCommand({ config, format: "ipvsadm" })).toBe(3);
    expect(out).toContain("-a -t 192.0.2.10:80 -r 192.0.2.3:80 -m -w 2\n");
    for (const what of ["vrrp_instance", "health checks", "quorum", "sorry_server"])
      expect(err).toContain(`left out: ${what} (1)`);
  });

  it("exit 1 when the configuration is wrong", async () => {
    expect(await exportCommand({ config: at("a.conf", "bogus\n"), format: "keepalived" })).toBe(1);
    expect(err).toContain("a.conf:1:1: error: unknown keyword");
  });
});

describe("run and check take a .conf", () => {
  it("problems name its lines, and those of what it includes", () => {
    const file = at("a.conf", `${INSTANCE}include b.inc\n`);
    at("b.inc", "\nvirtual_server 192.0.2.10 80 {\n real_server 192.0.2.3 80 {\n }\n}\n");
    const loaded = loadConfig(file, { hostname: "main.example.com" });
    expect(loaded.ok).toBe(true);
    expect(loaded.ok && loaded.config.instances[0]?.priority).toBe(200);
    expect(loaded.ok && loaded.config.files).toEqual([file, at("b.inc")]);
    expect(
      loaded.problems.map((p) => `${p.severity} ${p.file.slice(dir.length + 1)}:${p.line} ${p.message}`),
    ).toEqual([
      "warning b.inc:2 virtual_server 192.0.2.10 80 has no protocol: written as UDP, which keepalived takes",
    ]);
    const other = loadConfig(file, { hostname: "main", node: "backup" });
    expect(other.ok && other.config.instances[0]?.priority).toBe(100);
  });

  it("warnings of vipward's own, and errors, stand at the .conf's lines", () => {
    const text = `${INSTANCE.replace("interface eth0", "authentication { auth_type PASS\n auth_pass geheim }\n interface eth0")}vrrp_instance VI_2 {\n}\n`;
    const { ok, problems } = loadConfig(at("a.conf", text), { hostname: "x" });
    expect(ok).toBe(false);
    expect(problems.map(({ severity, line, message }) => `${severity} ${line} ${message}`)).toEqual([
      "warning 3 auth_pass travels in clear text and does not stop an attacker on the same network",
      "error 9 vrrp_instance needs interface",
      "error 9 vrrp_instance needs virtual_router_id",
    ]);
    expect(JSON.stringify(problems)).not.toContain("geheim");
    expect(loadConfig(at("none.conf"), { hostname: "x" }).problems[0]?.message).toContain("no such file");
  });
});
