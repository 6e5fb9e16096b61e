/** global_defs. */
import { schemas } from "../schema.ts";
import * as doc from "./document.ts";
import { lines } from "./import-addresses.ts";
import {
  flag,
  type Handler,
  int,
  noCounterpart,
  seconds,
  type Table,
  timer,
  unsupported,
  word,
  words,
} from "./keywords.ts";

/** One packet, and no second round. */
const minGarp: Handler = (statement, out, notes) => {
  const on = doc.map(statement.spot);
  flag("on")(statement, on, notes);
  if (doc.textOf(on, "on") !== "true") return;
  doc.set(out, "vrrp_garp_master_repeat", doc.scalar("1", statement.spot), statement.spot);
  doc.set(out, "vrrp_garp_master_delay", doc.scalar("0", statement.spot), statement.spot);
};

const all = (names: string, handler: Handler): Record<string, Handler> =>
  Object.fromEntries(
    names
      .trim()
      .split(/\s+/)
      .map((name) => [name, handler]),
  );

/** Sizes and priorities of keepalived's own processes. */
const PROCESSES = `process_names process_name vrrp_process_name checker_process_name bfd_process_name
  tmp_config_directory config_save_dir max_auto_priority min_auto_priority_delay vrrp_priority checker_priority
  bfd_priority vrrp_no_swap checker_no_swap bfd_no_swap vrrp_cpu_affinity checker_cpu_affinity bfd_cpu_affinity
  vrrp_rt_priority checker_rt_priority bfd_rt_priority vrrp_rlimit_rttime checker_rlimit_rttime bfd_rlimit_rttime
  vrrp_netlink_cmd_rcv_bufs vrrp_netlink_cmd_rcv_bufs_force vrrp_netlink_monitor_rcv_bufs
  vrrp_netlink_monitor_rcv_bufs_force lvs_netlink_cmd_rcv_bufs lvs_netlink_cmd_rcv_bufs_force
  lvs_netlink_monitor_rcv_bufs lvs_netlink_monitor_rcv_bufs_force process_monitor_rcv_bufs
  process_monitor_rcv_bufs_force vrrp_rx_bufs_policy vrrp_rx_bufs_multiplier umask reload_check_config include_check
  child_wait_time data_use_instance json_version use_symlink_paths random_seed`;

const FEATURES = `startup_script startup_script_timeout shutdown_script shutdown_script_timeout vrrp_notify_priority_changes
  lvs_sync_daemon lvs_timeouts lvs_flush_on_stop vrrp_garp_extra_if vrrp_iptables vrrp_ipsets vrrp_nftables nftables
  nftables_priority nftables_counters nftables_ifindex nftables_ipvs nftables_ipvs_priority nftables_ipvs_start_fwmark
  disable_local_igmp snmp_socket enable_snmp_keepalived enable_snmp_vrrp enable_snmp_checker enable_snmp_rfc
  enable_snmp_rfcv2 enable_snmp_rfcv3 enable_traps enable_dbus dbus_service_name notify_fifo notify_fifo_script
  vrrp_notify_fifo vrrp_notify_fifo_script lvs_notify_fifo lvs_notify_fifo_script fifo_write_vrrp_states_on_reload
  dynamic_interfaces rs_init_notifies no_checker_emails no_email_faults log_unknown_vrids vmac_prefix vmac_addr_prefix
  reload_time_file reload_repeat reload_file linkbeat_use_polling`;

export const globalTable: Table = {
  name: "global_defs",
  keys: () => schemas().global.keys,
  keywords: {
    ...all(PROCESSES, noCounterpart),
    ...all(FEATURES, unsupported),
    // Its effect is written out: see import.ts.
    default_interface: () => {},
    router_id: word(),
    lvs_flush: flag(),
    vrrp_version: int(),
    vrrp_strict: flag(),
    vrrp_startup_delay: timer(),
    vrrp_mcast_group4: word(),
    vrrp_mcast_group6: word(),
    vrrp_garp_master_delay: seconds(),
    vrrp_garp_master_repeat: int(),
    vrrp_garp_master_refresh: seconds(),
    vrrp_garp_master_refresh_repeat: int(),
    vrrp_garp_lower_prio_delay: seconds(),
    vrrp_garp_lower_prio_repeat: int(),
    vrrp_garp_interval: timer(),
    vrrp_gna_interval: timer(),
    vrrp_min_garp: minGarp,
    vrrp_lower_prio_no_advert: flag(),
    vrrp_higher_prio_send_advert: flag(),
    vrrp_check_unicast_src: flag(),
    vrrp_skip_check_adv_addr: flag(),
    vrrp_down_timer_adverts: int(),
    enable_script_security: flag(),
    script_user: words(),
    notification_email: lines((list) => list[0]),
    notification_email_from: word(),
    smtp_server: words(),
    smtp_helo_name: word(),
    smtp_connect_timeout: timer(),
    smtp_alert: flag(),
    smtp_alert_vrrp: flag(),
    smtp_alert_checker: flag(),
    checker_log_all_failures: flag(),
  },
};
