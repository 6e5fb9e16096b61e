/** vrrp_instance and vrrp_sync_group. */
import { quote } from "../problem.ts";
import { schemas } from "../schema.ts";
import * as doc from "./document.ts";
import { asWritten, lines, route, rule, vip } from "./import-addresses.ts";
import { notifyKeywords, type ScriptUse, trackKeywords } from "./import-track.ts";
import {
  args,
  bare,
  block,
  firstOf,
  flag,
  type Handler,
  hasBlock,
  int,
  noCounterpart,
  seconds,
  type Table,
  timer,
  unsupported,
  word,
  words,
} from "./keywords.ts";
import { wordsOf } from "./tree.ts";

/** keepalived: anything but MASTER and BACKUP is BACKUP. */
const state: Handler = (statement, out, notes) => {
  const text = args(statement, notes, 1)?.[0]?.text;
  if (text === undefined) return;
  const known = /^(MASTER|BACKUP)$/.test(text);
  if (!known) notes.warn(statement.spot, `state ${quote(text)}: written as BACKUP, as keepalived reads it`);
  doc.set(out, "state", doc.scalar(known ? text : "BACKUP", statement.spot), statement.spot);
};

/** `use_vmac [NAME] [MAC]` */
const useVmac: Handler = (statement, out, notes) => {
  const given = args(statement, notes, 2, 0);
  if (given === undefined) return;
  const mac = given.find(({ text }) => text.includes(":"));
  if (mac !== undefined)
    notes.warn(
      statement.spot,
      "left out: a MAC address of one's own for use_vmac is not supported by this version of vipward yet",
      "the virtual router's own MAC address is used: all routers of it must be set alike",
    );
  const name = given.find((one) => one !== mac)?.text;
  doc.set(out, "use_vmac", doc.scalar(name ?? "true", statement.spot), statement.spot);
};

const authenticationTable: Table = {
  name: "authentication",
  keys: () => schemas().authentication.keys,
  keywords: { auth_type: word(), auth_pass: word() },
};

/** keepalived 2.4: `key ID VALUE`, several times. */
const hmacKey: Handler = (statement, out, notes) => {
  const parts = wordsOf(statement, notes)?.slice(1);
  if (parts === undefined) return;
  const text = parts.map((one) => one.text).join(" ");
  doc.listAt(out, "key", statement.spot).items.push(doc.scalar(text, statement.spot));
};

const hmacTable: Table = {
  name: "auth_hmac",
  keys: () => schemas().hmac.keys,
  keywords: { key: hmacKey, active_key: int(), anti_replay: word(), time_window: timer(), mode: word() },
};

/** The order decides the family: see repair-instance.ts. */
export const instanceTable = (uses: ScriptUse[], nextPreference: () => number): Table => ({
  name: "vrrp_instance",
  keys: () => schemas().instance.keys,
  keywords: {
    state: firstOf("state", state),
    interface: word(),
    virtual_router_id: int(),
    priority: int(),
    advert_int: timer(),
    version: int(),
    native_ipv6: bare(),
    nopreempt: bare(),
    preempt: bare(),
    preempt_delay: timer(),
    authentication: block(authenticationTable),
    auth_hmac: block(hmacTable),
    virtual_ipaddress: lines(vip()),
    virtual_ipaddress_excluded: lines(vip()),
    virtual_routes: lines(route),
    virtual_rules: lines(rule(nextPreference)),
    mcast_src_ip: word(),
    mcast_dst_ip: word(),
    unicast_src_ip: word(),
    unicast_peer: lines(asWritten),
    unicast_ttl: int(),
    check_unicast_src: flag(),
    use_vmac: firstOf("use_vmac", useVmac),
    vmac_xmit_base: bare(),
    accept: bare(),
    no_accept: bare(),
    skip_check_adv_addr: flag(),
    v3_checksum_as_v2: flag(),
    dont_track_primary: bare(),
    promote_secondaries: bare(),
    lower_prio_no_advert: flag(),
    higher_prio_send_advert: flag(),
    down_timer_adverts: int(),
    garp_master_delay: seconds(),
    garp_master_repeat: int(),
    garp_master_refresh: seconds(),
    garp_master_refresh_repeat: int(),
    garp_lower_prio_delay: seconds(),
    garp_lower_prio_repeat: int(),
    strict_mode: flag(),
    ...trackKeywords(),
    ...notifyKeywords(uses),
    notify_master_rx_lower_pri: unsupported,
    track_src_ip: unsupported,
    unicast_fault_no_peer: unsupported,
    old_unicast_checksum: unsupported,
    garp_extra_if: words(),
    vmac_garp_intvl: words(),
    use_vmac_addr: unsupported,
    use_ipvlan: unsupported,
    vrf: unsupported,
    kernel_rx_buf_size: noCounterpart,
    debug: noCounterpart,
    linkbeat_use_polling: unsupported,
    owner_ignore_adverts: unsupported,
    lvs_sync_daemon_interface: unsupported,
  },
});

const members: Handler = (statement, out, notes) => {
  if (!hasBlock(statement, notes)) return;
  const list = doc.listAt(out, "group", statement.spot);
  for (const item of statement.block)
    for (const { text } of wordsOf(item, notes) ?? []) list.items.push(doc.scalar(text, item.spot));
};

export const groupTable = (uses: ScriptUse[]): Table => ({
  name: "vrrp_sync_group",
  keys: () => schemas().group.keys,
  keywords: {
    group: members,
    ...trackKeywords(),
    ...notifyKeywords(uses),
    global_tracking: unsupported,
    sync_group_tracking_weight: unsupported,
  },
});
