import { describe, expect, it } from "vitest";
import type { FileFacts } from "../../src/config/context.ts";
import { parseConfig } from "../../src/config/load.ts";

type Files = Record<string, Partial<FileFacts>>;

/** A tree of root's own, unchangeable by others, but for what is given. */
function problems(command: string, files: Files, keys = "", global = ""): string[] {
  const inspectFile = (path: string): FileFacts | undefined => {
    const facts = files[path];
    if (
      facts === undefined &&
      !Object.keys(files).some((file) => file.startsWith(path === "/" ? path : `${path}/`))
    )
      return undefined;
    return { kind: facts === undefined ? "directory" : "file", uid: 0, gid: 0, mode: 0o755, ...facts };
  };
  const text = `global_defs: { ${global} }\nvrrp_script: { chk: { script: ${command}, ${keys} } }`;
  const result = parseConfig(text, "s.yaml", { hostname: "h", inspectFile });
  return result.problems.map(({ severity, message }) => `${severity}: ${message}`);
}

const strict = "enable_script_security: true";
const written = (by: string, path: string) =>
  `script: root may run this script, but ${by} can write "${path}"`;

describe("spec config 2: scripts that root may run but others can write", () => {
  it("a script of root's on a path of root's is good", () => {
    expect(problems("/opt/bin/chk -v", { "/opt/bin/chk": {} }, "", strict)).toEqual([]);
  });
  it("what anyone can write is an error, whatever enable_script_security says; the path is named", () => {
    expect(problems("/opt/chk", { "/opt/chk": { mode: 0o777 } })).toEqual([
      `error: ${written("anyone", "/opt/chk")}`,
    ]);
    const files: Files = { "/opt": { kind: "directory", mode: 0o40777 }, "/opt/bin/chk": {} };
    expect(problems("/opt/bin/chk", files)).toEqual([`error: ${written("anyone", "/opt")}`]);
  });
  it("another owner or group: a warning, with enable_script_security an error", () => {
    const owner: Files = { "/opt/chk": { uid: 1000 } };
    expect(problems("/opt/chk", owner)).toEqual([`warning: ${written("user 1000", "/opt/chk")}`]);
    expect(problems("/opt/chk", owner, "", strict)).toEqual([`error: ${written("user 1000", "/opt/chk")}`]);
    const group: Files = { "/opt": { kind: "directory", gid: 50, mode: 0o775 }, "/opt/chk": {} };
    expect(problems("/opt/chk", group, "", strict)).toEqual([`error: ${written("group 50", "/opt")}`]);
    expect(problems("/opt/chk", { "/opt/chk": { gid: 0, mode: 0o775 } }, "", strict)).toEqual([]);
  });
  it("the worst is named when there are several", () => {
    const files: Files = { "/opt": { kind: "directory", uid: 7 }, "/opt/chk": { mode: 0o777 } };
    expect(problems("/opt/chk", files)).toEqual([`error: ${written("anyone", "/opt/chk")}`]);
  });
  it("a sticky directory protects what root has in it", () => {
    const files: Files = { "/tmp": { kind: "directory", mode: 0o41777 }, "/tmp/chk": {} };
    expect(problems("/tmp/chk", files, "", strict)).toEqual([]);
  });
  it("links are followed: the directories behind them count", () => {
    const files: Files = {
      "/opt/chk": { kind: "link", mode: 0o777, target: "../srv/./bin/chk" },
      "/srv/bin": { kind: "directory", mode: 0o777 },
      "/srv/bin/chk": {},
    };
    expect(problems("/opt/chk", files)).toEqual([`error: ${written("anyone", "/srv/bin")}`]);
    const absolute: Files = { "/bin": { kind: "link", target: "/usr/bin" }, "/usr/bin/chk": { uid: 9 } };
    expect(problems("/bin/chk", absolute)).toEqual([`warning: ${written("user 9", "/usr/bin/chk")}`]);
  });
  it("a script run by somebody else is not root's risk", () => {
    const files: Files = { "/opt/chk": { uid: 1000, mode: 0o777 } };
    expect(problems("/opt/chk", files, "user: nobody", strict)).toEqual([]);
    expect(problems("/opt/chk", files, "", `${strict}, script_user: nobody nogroup`)).toEqual([]);
    expect(problems("/opt/chk", files, "user: root", "script_user: nobody")).toHaveLength(1);
  });
  it("missing, not a file, not executable, endless links, not to be seen", () => {
    expect(problems("/opt/chk", { "/opt/other": {} })).toEqual(['error: script: "/opt/chk" does not exist']);
    expect(problems("/opt/bin", { "/opt/bin/chk": {} })).toEqual([
      'error: script: "/opt/bin" is not a regular file',
    ]);
    expect(problems("/opt/chk", { "/opt/chk": { mode: 0o644 } })).toEqual([
      'error: script: "/opt/chk" is not executable',
    ]);
    expect(problems("/a", { "/a": { kind: "link", target: "a" } })).toEqual([
      'error: script: "/a": too many symbolic links',
    ]);
    const result = parseConfig("vrrp_script: { chk: { script: /root/chk } }", "s.yaml", {
      hostname: "h",
      inspectFile: () => {
        throw new Error("EACCES: permission denied");
      },
    });
    expect(result.ok).toBe(true);
    expect(result.problems[0]?.message).toMatch(/can't be looked at: EACCES/);
  });
  it("notify scripts are looked at too", () => {
    const text =
      "vrrp_instance: { A: { interface: eth0, virtual_router_id: 1, notify: /opt/n } }\nvrrp_sync_group: { G: { group: [A], notify_stop: /opt/s } }";
    const result = parseConfig(text, "s.yaml", { hostname: "h", inspectFile: () => undefined });
    expect(result.problems.filter(({ severity }) => severity === "error").map((p) => p.message)).toEqual([
      'notify: "/" does not exist',
      'notify_stop: "/" does not exist',
    ]);
  });
});
