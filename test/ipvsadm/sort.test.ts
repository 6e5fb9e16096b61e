import { describe, expect, it } from "vitest";
import { compareKeys, destSortKey, serviceSortKey, sortBy } from "../../src/ipvsadm/sort.ts";
import type { DestSpec, ServiceId } from "../../src/lvs/table.ts";

const sortDests = (addresses: readonly string[]): string[] =>
  sortBy(
    addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4, port: 80 }) as DestSpec),
    destSortKey,
    compareKeys,
  ).map(({ address }) => address);

const tcp = (address: string): ServiceId => ({
  kind: "address",
  protocol: "tcp",
  family: address.includes(":") ? 6 : 4,
  address,
  port: 80,
});
const mark = (number: number): ServiceId => ({ kind: "fwmark", family: 4, mark: number });
const sortIds = (ids: readonly ServiceId[]) => sortBy(ids, serviceSortKey, compareKeys);

describe("the order of ipvsadm 1.31, captured with the kernel's order before it", () => {
  it("addresses further apart than 2^31 have no order: the merge sort decides", () => {
    const first = [
      "170.1.1.1",
      "10.1.1.1",
      "250.1.1.1",
      "200.1.1.1",
      "150.1.1.1",
      "100.1.1.1",
      "50.1.1.1",
      "1.1.1.1",
    ];
    expect(sortDests(first)).toEqual([
      ...["170.1.1.1", "200.1.1.1", "250.1.1.1", "1.1.1.1", "10.1.1.1", "50.1.1.1", "100.1.1.1", "150.1.1.1"],
    ]);
    const second = ["170.1.1.1", "1.1.1.1", "50.1.1.1", "100.1.1.1", "150.1.1.1", "200.1.1.1", "250.1.1.1"];
    expect(sortDests(second)).toEqual([
      ...["100.1.1.1", "150.1.1.1", "170.1.1.1", "200.1.1.1", "250.1.1.1", "1.1.1.1", "50.1.1.1"],
    ]);
  });

  it("an IPv4 real server among IPv6 ones is the first word of four; equal ones keep their order", () => {
    expect(sortDests(["2001:db8::1", "32.1.13.184", "2001:db8::3"])).toEqual([
      ...["32.1.13.184", "2001:db8::1", "2001:db8::3"],
    ]);
    expect(sortDests(["2001:db8::", "32.1.13.184"])).toEqual(["2001:db8::", "32.1.13.184"]);
    expect(sortDests(["32.1.13.184", "2001:db8::"])).toEqual(["32.1.13.184", "2001:db8::"]);
  });

  it("IPv6 services", () => {
    const kernel = [
      "::2",
      "::128.0.0.0",
      "::8000:0:0:0",
      "0:0:7fff::",
      "0:0:ffff::",
      "0:0:1::",
      "0:1::1",
      "::1",
    ];
    const more = [
      "::8000:0:1",
      "::1:0:0",
      "0:8000::1",
      "0:7fff::1",
      "::127.255.255.255",
      "::255.255.255.255",
    ];
    expect(
      sortIds([...kernel, ...more, "::7fff:0:0"].map(tcp)).map((id) => "address" in id && id.address),
    ).toEqual([
      ...["::1", "::2", "::127.255.255.255", "::128.0.0.0", "::8000:0:0:0", "::255.255.255.255", "::1:0:0"],
      ...[
        "::7fff:0:0",
        "::8000:0:1",
        "0:0:1::",
        "0:0:7fff::",
        "0:0:ffff::",
        "0:1::1",
        "0:7fff::1",
        "0:8000::1",
      ],
    ]);
  });

  it("marks are signed, and stand before or after the services without one", () => {
    const kernel = [
      tcp("1.2.3.4"),
      ...[1000000000, 3000000000, 2147483648, 1, 4294967295, 2147483647].map(mark),
    ];
    expect(sortIds(kernel)).toEqual([
      mark(4294967295),
      tcp("1.2.3.4"),
      ...[1, 1000000000, 2147483647, 2147483648, 3000000000].map(mark),
    ]);
  });
});
