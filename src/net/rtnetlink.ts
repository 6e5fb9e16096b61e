/** Links and addresses of the kernel: synchronous requests, each acknowledged within 2 s or an error. */
import type { AttrStream } from "node-netlink/dist/structs.js";
import type { SystemError } from "./errors.ts";
import {
  encodeMessage,
  NetlinkRequester,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
  refused,
} from "./netlink-request.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "./netlink-socket.ts";
import {
  type AddressInfo,
  type AddressRequest,
  addressDumpRequest,
  encodeAddress,
  type LinkInfo,
  linkDumpRequest,
  parseAddress,
  parseLink,
  RTM_DELADDR,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_NEWADDR,
  RTM_NEWLINK,
} from "./rtnetlink-codec.ts";

export {
  type AddressInfo,
  type AddressRequest,
  type LinkInfo,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  VIPWARD_IFA_PROTO,
} from "./rtnetlink-codec.ts";

const isDefined = <T>(x: T | undefined): x is T => x !== undefined;

export class RtNetlink {
  readonly #socket: NetlinkSocket;
  readonly #requester: NetlinkRequester;
  /** Renewals have their own socket, so that their late acks never meet a synchronous request. */
  readonly #renewalSocket: NetlinkSocket;
  readonly #renewalRequester: NetlinkRequester;
  #renewing: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor(socket: NetlinkSocket, renewals: NetlinkSocket) {
    this.#socket = socket;
    this.#requester = new NetlinkRequester(socket);
    this.#renewalSocket = renewals;
    this.#renewalRequester = new NetlinkRequester(renewals);
  }

  /** Serves the network namespace the thread is in now, wherever it is later. */
  static open(): RtNetlink {
    return new RtNetlink(NetlinkSocket.open(NETLINK_ROUTE), NetlinkSocket.open(NETLINK_ROUTE));
  }

  links(): LinkInfo[] {
    return this.#requester
      .dump(RTM_GETLINK, linkDumpRequest, "list the interfaces")
      .filter((message) => message.type === RTM_NEWLINK)
      .map((message) => parseLink(message.data))
      .filter(isDefined);
  }

  /** IPv4 and IPv6. */
  addresses(): AddressInfo[] {
    return this.#requester
      .dump(RTM_GETADDR, addressDumpRequest, "list the addresses")
      .filter((message) => message.type === RTM_NEWADDR)
      .map((message) => parseAddress(message.data))
      .filter(isDefined);
  }

  /** Throws SystemError: EEXIST (without `replace`), ENODEV, EPERM, ... with the kernel's text. */
  addAddress(request: AddressRequest): void {
    this.#requester.request(RTM_NEWADDR, addFlags(request), payload(request), `add ${where(request)}`);
  }

  /** Throws SystemError; code EADDRNOTAVAIL when it is not there (any more). */
  deleteAddress(request: AddressRequest): void {
    // Label and lifetimes are not needed, and a label that differs would keep the kernel from finding it.
    const { label: _label, broadcast: _broadcast, ...key } = request;
    this.#requester.request(RTM_DELADDR, 0, payload(key), `delete ${where(request)}`);
  }

  /**
   * Gives an address its lifetimes anew. The kernel makes one that has gone meanwhile: whether that
   * is wanted is for the caller, who hears of removals from the LinkMonitor.
   */
  renewAddress(request: AddressRequest): void {
    this.addAddress({ ...request, replace: true });
  }

  /**
   * renewAddress() for many in one system call on a pool thread: rtnetlink may wait for a lock that
   * another process holds, and an advert must not. Resolves with one entry per request, undefined
   * where it went well. Calls are carried out one after the other.
   */
  renewAddresses(requests: readonly AddressRequest[]): Promise<readonly (SystemError | undefined)[]> {
    const run = () => this.#renewAll(requests);
    const result = this.#renewing.then(run, run);
    this.#renewing = result.catch(() => undefined);
    return result;
  }

  async #renewAll(requests: readonly AddressRequest[]): Promise<readonly (SystemError | undefined)[]> {
    if (requests.length === 0 || this.#closed) return requests.map(() => undefined);
    const requester = this.#renewalRequester;
    const seqs = requests.map(() => requester.nextSeq());
    const messages = requests.map((request, i) =>
      encodeMessage(
        RTM_NEWADDR,
        NLM_F_REQUEST | NLM_F_ACK | addFlags({ ...request, replace: true }),
        seqs[i] ?? 0,
        payload(request),
      ),
    );
    await this.#renewalSocket.sendAsync(Buffer.concat(messages));
    return requester.acks(seqs, "renew the leases").map((ack, i) => {
      const request = requests[i];
      return ack.errno === 0 || !request ? undefined : refused(ack, `renew ${where(request)}`);
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
    // A send in flight still uses the descriptor: close it after that.
    void this.#renewing.then(() => this.#renewalSocket.close());
  }
}

const payload = (request: AddressRequest) => (out: AttrStream) => encodeAddress(request, out);

const addFlags = (request: AddressRequest): number =>
  NLM_F_CREATE | (request.replace ? NLM_F_REPLACE : NLM_F_EXCL);

const where = (r: AddressRequest): string => `${r.address}/${r.prefixLength} on interface ${r.index}`;
