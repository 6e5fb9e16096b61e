/** Generic netlink (include/uapi/linux/genetlink.h): the message header and the lookup of a family by name. */
import {
  attributeNumber,
  attributeText,
  type NetlinkWriter,
  NLM_F_REQUEST,
  parseAttributes,
} from "./netlink.ts";

/** Message type of the controller, the one family with a fixed number. */
export const GENL_ID_CTRL = 0x10;
/** sizeof(struct genlmsghdr). */
export const GENL_HEADER = 4;
export const CTRL_CMD_NEWFAMILY = 1;
export const CTRL_CMD_GETFAMILY = 3;
const CTRL_VERSION = 2;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;
const CTRL_ATTR_VERSION = 3;

/** Starts a message with its generic header; the attributes and end() are the caller's. */
export function beginGenl(
  w: NetlinkWriter,
  familyId: number,
  flags: number,
  seq: number,
  command: number,
  version: number,
): NetlinkWriter {
  return w.begin(familyId, flags, seq).u8(command).u8(version).u16(0);
}

/** CTRL_CMD_GETFAMILY: ENOENT in answer means that the module is not loaded. */
export function writeGetFamily(w: NetlinkWriter, seq: number, name: string): void {
  beginGenl(w, GENL_ID_CTRL, NLM_F_REQUEST, seq, CTRL_CMD_GETFAMILY, CTRL_VERSION);
  w.attrString(CTRL_ATTR_FAMILY_NAME, name).end();
}

export interface GenlFamily {
  /** Message type of the family's messages until its module is loaded anew. */
  readonly id: number;
  readonly name: string;
  readonly version: number;
}

/** Payload of CTRL_CMD_NEWFAMILY, the answer to GETFAMILY; undefined when it is something else. */
export function decodeFamily(payload: Uint8Array): GenlFamily | undefined {
  if (genlCommand(payload) !== CTRL_CMD_NEWFAMILY) return undefined;
  const attributes = parseAttributes(payload, GENL_HEADER);
  const id = attributeNumber(attributes.get(CTRL_ATTR_FAMILY_ID));
  const name = attributes.get(CTRL_ATTR_FAMILY_NAME);
  if (id === undefined || name === undefined) return undefined;
  return { id, name: attributeText(name), version: attributeNumber(attributes.get(CTRL_ATTR_VERSION)) ?? 0 };
}

/** The command of a generic netlink payload; undefined when it is shorter than its header. */
export function genlCommand(payload: Uint8Array): number | undefined {
  return payload.length < GENL_HEADER ? undefined : payload[0];
}
