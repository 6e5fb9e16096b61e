import { constants } from "node:os";
import { describe, expect, it } from "vitest";
import { check, errnoName, SystemError } from "../../src/net/errors.ts";
import { libc } from "../../src/net/libc.ts";

describe("SystemError", () => {
  it("says what, where and what to do, and keeps errno and syscall", () => {
    const error = new SystemError({
      errno: constants.errno.EPERM,
      syscall: "socket",
      what: "open a raw VRRP socket on eth0",
    });
    expect(error.message).toBe(
      "cannot open a raw VRRP socket on eth0: socket: EPERM (operation not permitted); " +
        "needs CAP_NET_RAW and CAP_NET_ADMIN: run as root, or grant them in the unit or container",
    );
    expect(error).toMatchObject({ code: "EPERM", errno: 1, syscall: "socket", name: "SystemError" });
    expect(error.hint).toMatch(/run as root/);
  });

  it("carries the kernel's extended ack text", () => {
    const error = new SystemError({
      errno: constants.errno.EINVAL,
      syscall: "netlink",
      what: "add 10.0.0.1/24 on interface 2",
      kernelText: "ipv4: Invalid lifetime",
    });
    expect(error.message).toContain('kernel says "ipv4: Invalid lifetime"');
    expect(error.kernelText).toBe("ipv4: Invalid lifetime");
    expect(error.hint).toBeUndefined();
  });

  it("the caller's hint replaces the one for the errno", () => {
    const error = new SystemError({ errno: 1, syscall: "bind", what: "bind", hint: "load the module" });
    expect(error.message).toMatch(/; load the module$/);
  });

  it("check() reads errno of the failed call and passes success through", () => {
    expect(check(0, "close", "close nothing")).toBe(0);
    expect(() => check(libc().close(-1), "close", "close descriptor -1")).toThrow(
      /^cannot close descriptor -1: close: EBADF \(bad file descriptor\)$/,
    );
  });

  it("errnoName: aliases give the usual name, kernel-internal and unknown ones still something", () => {
    expect(errnoName(constants.errno.EAGAIN)).toBe("EAGAIN");
    expect(errnoName(constants.errno.EOPNOTSUPP)).toMatch(/^E(OP)?NOTSUP/);
    expect(errnoName(524)).toBe("ENOTSUPP");
    expect(errnoName(9999)).toBe("E9999");
  });
});
