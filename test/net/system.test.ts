import { readFileSync, statSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { bootId, boottimeUs, monotonicUs } from "../../src/net/clock.ts";
import { raiseFdLimit } from "../../src/net/fds.ts";
import { lockableMappings, mayBeSwapped } from "../../src/net/locked-memory.ts";
import { netnsInode } from "../../src/net/netns.ts";
import { interfaceSysctl, readSysctl, sysctlPath } from "../../src/net/sysctl.ts";

describe("sysctl", () => {
  it("keeps the dots of interface names", () => {
    expect(sysctlPath(interfaceSysctl(4, "eth0.100", "promote_secondaries"))).toBe(
      "/proc/sys/net/ipv4/conf/eth0.100/promote_secondaries",
    );
    expect(sysctlPath(interfaceSysctl(6, "br.lan", "accept_dad"))).toBe(
      "/proc/sys/net/ipv6/conf/br.lan/accept_dad",
    );
  });

  it.each(["..", "a/b", "", ".", "a\0b"])(
    "refuses %j as a part: a name must not lead out of /proc/sys",
    (part) => {
      expect(() => sysctlPath(["net", part, "forwarding"])).toThrow(RangeError);
    },
  );

  it("reads a value without its newline", () => {
    expect(readSysctl(["kernel", "ostype"])).toBe("Linux");
  });

  it("a missing parameter is ENOENT with its path", () => {
    expect(() => readSysctl(["net", "ipv4", "conf", "no.such", "forwarding"])).toThrow(
      /ENOENT.*conf\/no\.such/,
    );
  });
});

describe("clocks", () => {
  it("monotonicUs never goes back and boottimeUs includes it", () => {
    const before = monotonicUs();
    const boot = boottimeUs();
    const after = monotonicUs();
    expect(after).toBeGreaterThanOrEqual(before);
    // CLOCK_BOOTTIME is CLOCK_MONOTONIC plus the time asleep.
    expect(boot).toBeGreaterThanOrEqual(before);
  });

  it("the boot id is the kernel's UUID", () => {
    expect(bootId()).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  });
});

describe("network namespace", () => {
  it("is named by the inode of /proc/self/ns/net", () => {
    expect(netnsInode()).toBe(statSync("/proc/thread-self/ns/net", { bigint: true }).ino);
  });
});

describe("raiseFdLimit", () => {
  it("brings the soft limit up to the hard one", () => {
    const { soft, hard } = raiseFdLimit();
    expect(soft).toBe(hard);
    const line = /Max open files\s+(\S+)\s+(\S+)/.exec(readFileSync("/proc/self/limits", "latin1"));
    expect(line?.[1]).toBe(line?.[2]);
    expect(line?.[1]).toBe(Number.isFinite(soft) ? String(soft) : "unlimited");
  });
});

describe("locked memory", () => {
  const MAPS = [
    "00400000-00452000 r-xp 00000000 08:02 173521      /usr/bin/node",
    "00651000-00652000 ---p 00051000 08:02 173521      /usr/bin/node",
    "00e03000-00e24000 rw-p 00000000 00:00 0           [heap]",
    "2c5000000-2c5040000 rw-p 00000000 00:00 0 ",
    "7f0000000000-7f0000001000 rwxp 00000000 00:00 0 ",
    "35b1a21000-35b1a22000 rw-s 00000000 00:05 1       /dev/zero (deleted)",
    "7fffb2c0d000-7fffb2c2e000 rw-p 00000000 00:00 0   [stack]",
    "7fffb2d48000-7fffb2d49000 r-xp 00000000 00:00 0   [vdso]",
    "",
  ].join("\n");

  it("locks files, C heap and stack; never V8's anonymous pages, whose madvise() would then abort it", () => {
    expect(lockableMappings(MAPS)).toEqual([
      { start: 0x400000, length: 0x52000 },
      { start: 0xe03000, length: 0x21000 },
      { start: 0x7fffb2c0d000, length: 0x21000 },
    ]);
  });

  const files = (swaps: number, limit?: string) => (file: string) => {
    if (file === "/proc/swaps") return `Filename Type Size\n${"/dev/sda2 partition 1\n".repeat(swaps)}`;
    if (file === "/proc/self/cgroup") return "0::/system.slice/vipward.service\n";
    if (file === "/sys/fs/cgroup/system.slice/vipward.service/memory.swap.max" && limit) return `${limit}\n`;
    throw new Error("ENOENT");
  };
  it.each([
    ["no swap", 0, undefined, false],
    ["swap, forbidden by the unit's MemorySwapMax=0", 1, "0", false],
    ["swap, no limit", 1, "max", true],
    ["swap, limit not readable", 1, undefined, true],
  ])("may be swapped: %s", (_name, swaps, limit, expected) => {
    expect(mayBeSwapped(files(swaps, limit))).toBe(expected);
  });
});
