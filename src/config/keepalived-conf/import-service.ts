/** virtual_server, virtual_server_group and real_server. */
import { parseIp } from "../ip.ts";
import { quote } from "../problem.ts";
import { schemas } from "../schema.ts";
import { script } from "./commands.ts";
import * as doc from "./document.ts";
import { checkerKeywords, checkKeywords } from "./import-checkers.ts";
import type { ScriptUse } from "./import-track.ts";
import {
  args,
  bare,
  firstOf,
  flag,
  type Handler,
  hasBlock,
  int,
  notSupported,
  put,
  type Table,
  translate,
  unsupported,
  word,
} from "./keywords.ts";
import type { Notes } from "./notes.ts";
import { keywordOf, type Statement, wordsOf } from "./tree.ts";

/** One virtual_server and where its protocol was written. */
export interface ServiceDraft {
  readonly statement: Statement;
  /** "ADDR PORT", "fwmark N" or "group NAME". */
  readonly name: string;
  readonly map: doc.DocMap;
}

/** `lvs_method NAT|DR|TUN [type ipip|gue port N|gre] [csum...]`; vipward has plain ipip. */
const method =
  (key: string): Handler =>
  (statement, out, notes) => {
    const parts = args(statement, notes, 10)?.map(({ text }) => text);
    if (parts === undefined) return;
    const [kind = "", ...tunnel] = parts;
    if (!/^(NAT|DR|TUN|FULLNAT)$/.test(kind)) {
      notes.warn(
        statement.spot,
        `left out: ${keywordOf(statement)} ${quote(kind)} is not NAT, DR or TUN`,
        "keepalived ignores it, too, and takes the default",
      );
      return;
    }
    const plain = tunnel.length === 0 || tunnel.join(" ") === "type ipip";
    // The method stays in a form that is refused below: another kind of tunnel would reach nobody.
    put(out, key, plain ? kind : parts.join(" "), statement, notes);
  };

/** ADDR [PORT] as "ADDR PORT". */
const endpoint: Handler = (statement, out, notes) => {
  const parts = args(statement, notes, 2)?.map(({ text }) => text);
  if (parts !== undefined) put(out, keywordOf(statement), parts.join(" "), statement, notes);
};

const persistence: Handler = (statement, out, notes) => {
  if (args(statement, notes, 1, 0)?.length === 0) put(out, "persistence_timeout", "360", statement, notes);
  else int()(statement, out, notes);
};

const protocol: Handler = (statement, out, notes) => {
  const text = args(statement, notes, 1)?.[0]?.text;
  if (text === undefined) return;
  if (/^(TCP|UDP|SCTP)$/i.test(text)) put(out, "protocol", text.toUpperCase(), statement, notes);
  else notes.warn(statement.spot, `left out: protocol ${quote(text)} is not TCP, UDP or SCTP`);
};

/** A script that is told something; the first one counts. */
const told = (uses: ScriptUse[], key: string): Handler =>
  firstOf(key, (statement, out, notes) => {
    script()(statement, out, notes);
    if (doc.has(out, key)) uses.push({ in: out, key, user: undefined, statement, ownUser: true });
  });

const both = (): Record<string, Handler> => ({
  ...checkKeywords(),
  lvs_method: method("lb_kind"),
  lb_kind: method("lb_kind"),
  virtualhost: word(),
  weight: int(),
  uthreshold: int(),
  lthreshold: int(),
  inhibit_on_failure: flag(),
  smtp_alert: flag(),
  snmp_name: word(),
});

export const serverTable = (uses: ScriptUse[]): Table => ({
  name: "real_server",
  keys: () => schemas().server.keys,
  keywords: {
    ...both(),
    notify_up: told(uses, "notify_up"),
    notify_down: told(uses, "notify_down"),
    ...checkerKeywords(uses),
  },
});

const realServer =
  (table: Table): Handler =>
  (statement, out, notes) => {
    const name = endpointName(statement, notes);
    if (name === undefined || !hasBlock(statement, notes)) return;
    const made = doc.map(statement.spot);
    translate(statement.block, table, made, notes);
    doc.add(doc.mapAt(out, "real_server", statement.spot), name, made, statement.spot);
  };

/** "ADDR PORT", or "ADDR" without one; keepalived skips what is neither. */
function endpointName(statement: Statement, notes: Notes): string | undefined {
  const [address = "", port, ...rest] = (wordsOf(statement, notes) ?? []).slice(1).map(({ text }) => text);
  const keyword = keywordOf(statement);
  if (parseIp(address) === undefined || (port !== undefined && !/^\d{1,5}$/.test(port)))
    return notes.warn(
      statement.spot,
      `left out: ${keyword} ${quote([address, port].filter(Boolean).join(" "))} is not an address and port`,
      "keepalived skips it, too",
    );
  if (rest.length > 0)
    notes.warn(statement.spot, `words after the port of ${keyword} are ignored, as by keepalived`);
  return port === undefined ? address : `${address} ${port}`;
}

export const serviceTable = (uses: ScriptUse[]): Table => ({
  name: "virtual_server",
  keys: () => schemas().service.keys,
  keywords: {
    lvs_sched: word("lb_algo"),
    lb_algo: word("lb_algo"),
    ...both(),
    persistence_timeout: persistence,
    persistence_granularity: word(),
    persistence_engine: word(),
    protocol,
    quorum: int(),
    hysteresis: int(),
    quorum_up: told(uses, "quorum_up"),
    quorum_down: told(uses, "quorum_down"),
    sorry_server: endpoint,
    sorry_server_lvs_method: method("sorry_server_lvs_method"),
    sorry_server_inhibit: flag(),
    ha_suspend: bare(),
    omega: bare(),
    ops: bare(),
    "flag-1": unsupported,
    "flag-2": unsupported,
    "flag-3": unsupported,
    "sh-port": bare(),
    "sh-fallback": bare(),
    "mh-port": bare(),
    "mh-fallback": bare(),
    hashed: unsupported,
    ip_family: word(),
    real_server: realServer(serverTable(uses)),
  },
});

/** `virtual_server ADDR [PORT] | fwmark N | group NAME`; the services are put in place when all are known. */
export const virtualServer =
  (drafts: ServiceDraft[], table: Table): Handler =>
  (statement, _, notes) => {
    const parts = wordsOf(statement, notes)?.slice(1);
    if (parts === undefined) return;
    const kind = parts[0]?.text ?? "";
    const named = kind === "fwmark" || kind === "group";
    const name = named ? `${kind} ${parts[1]?.text ?? ""}` : endpointName(statement, notes);
    if (name === undefined || !hasBlock(statement, notes)) return;
    const made = doc.map(statement.spot);
    translate(statement.block, table, made, notes);
    drafts.push({ statement, name: named || name.includes(" ") ? name : `${name} 0`, map: made });
  };

/** A named list of "ADDR PORT", "ADDR-RANGE PORT" and "fwmark N". */
export const serverGroup: Handler = (statement, out, notes) => {
  const name = wordsOf(statement, notes)?.[1]?.text;
  if (name === undefined || !hasBlock(statement, notes)) return;
  if (!schemas().root.keys.includes("virtual_server_group"))
    return notSupported(
      statement,
      "virtual_server_group",
      notes,
      "write one virtual_server per address and port",
    );
  const members = statement.block.flatMap((item) => {
    const text = wordsOf(item, notes)?.map((part) => part.text);
    return text === undefined ? [] : [doc.scalar(text.join(" "), item.spot)];
  });
  const groups = doc.mapAt(out, "virtual_server_group", statement.spot);
  doc.add(groups, name, doc.list(statement.spot, members), statement.spot);
};
