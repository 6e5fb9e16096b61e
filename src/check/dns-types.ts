/** Names of DNS query types and response codes (IANA "Domain Name System (DNS) Parameters"). */

const TYPES: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  NAPTR: 35,
  DS: 43,
  RRSIG: 46,
  DNSKEY: 48,
  TLSA: 52,
  SVCB: 64,
  HTTPS: 65,
  ANY: 255,
  CAA: 257,
};
export const DNS_TYPES: readonly string[] = Object.keys(TYPES);

/** "soa", "AAAA", "TYPE65" (RFC 3597 5). */
export function dnsType(text: string): { readonly name: string; readonly value: number } | undefined {
  const name = text.toUpperCase();
  const known = Object.hasOwn(TYPES, name) ? TYPES[name] : undefined;
  if (known !== undefined) return { name, value: known };
  const number = /^TYPE([0-9]{1,5})$/.exec(name)?.[1];
  return number !== undefined && Number(number) <= 0xffff ? { name, value: Number(number) } : undefined;
}

const RCODES = [
  "NOERROR",
  "FORMERR",
  "SERVFAIL",
  "NXDOMAIN",
  "NOTIMP",
  "REFUSED",
  "YXDOMAIN",
  "YXRRSET",
  "NXRRSET",
  "NOTAUTH",
  "NOTZONE",
];
export const rcodeName = (rcode: number): string => RCODES[rcode] ?? `RCODE${rcode}`;
