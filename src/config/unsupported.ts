/** Keys keepalived has and this version lacks: refused by name, never silently ignored. */

const VRRP = `unicast_fault_no_peer use_vmac_addr use_ipvlan vmac_garp_intvl track_bfd track_src_ip notify_deleted
notify_master_rx_lower_pri notify_priority_changes smtp_alert debug linkbeat_use_polling garp_extra_if fast_recovery kernel_rx_buf
thread_timer_expired rotation_lvs_sync_daemon owner_ignore_adverts`;
const SERVICE = `ops lvs_flags sh-port sh-fallback mh-port mh-fallback persistence_engine omega ha_suspend quorum_up quorum_down
quorum_max sorry_server_inhibit notify_up notify_down smtp_alert bind_to ip_family snmp_name fwmark max_eject slow_start
fullnat_source notify_quorum_up notify_quorum_down`;
const SERVER =
  "notify_up notify_down smtp_alert snmp_name ipip gue gre tun_type tun_port tun_flags max_connections drain maintenance";
const CHECKERS =
  "TCP_CHECK HTTP_GET SSL_GET SMTP_CHECK DNS_CHECK UDP_CHECK PING_CHECK MISC_CHECK FILE_CHECK GRPC_CHECK BFD_CHECK EXTERNAL";
const CHECK = "rise fall fall_timeout";
const words = (...texts: string[]): ReadonlySet<string> => new Set(texts.join(" ").split(/\s+/));

const BLOCKS: Readonly<Record<string, ReadonlySet<string>>> = {
  "the file": words(`virtual_server_group 
static_track_group bfd_instance linkbeat_interfaces linkbeat_use_polling SSL ssl include net_namespace
ipvs_namespace instance use_pid_dir lvs_timeouts interface_up_down_delays garp_group vrrp_track_bfd`),
  global_defs:
    words(`notification_email notification_email_from smtp_server smtp_helo_name smtp_connect_timeout smtp_alert smtp_alert_vrrp
smtp_alert_checker no_email_faults 
vrrp_garp_extra_if default_interface lvs_sync_daemon lvs_timeouts lvs_flush_on_stop lvs_sysctl
vrrp_iptables vrrp_ipsets vrrp_nftables 
vrrp_priority checker_priority bfd_priority vrrp_no_swap checker_no_swap vrrp_rt_priority checker_rt_priority
vrrp_rlimit_rttime vrrp_rlimit_rtime vrrp_cpu_affinity checker_cpu_affinity process_names script_security
notify_fifo notify_fifo_script vrrp_notify_fifo vrrp_notify_fifo_script lvs_notify_fifo lvs_notify_fifo_script notify_priority_changes
enable_snmp_keepalived enable_snmp_vrrp enable_snmp_checker enable_snmp_rfc enable_snmp_rfcv2 enable_snmp_rfcv3 enable_traps snmp_socket
enable_dbus dbus_service_name dynamic_interfaces startup_script shutdown_script max_auto_priority min_auto_priority_delay child_wait_time
reload_repeat reload_time_file reload_check_config reload_file umask state_dump_file stats_file json_version
disable_local_igmp checker_log_all_failures nftables nftables_priority nftables_counters use_symlink_paths random_seed use_pid_dir
vmac_prefix vmac_addr_prefix tmp_config_directory config_save_dir data_use_instance rs_init_notifies manage_sysctl log_unknown_vrids
vrrp_netlink_cmd_rcv_bufs vrrp_netlink_monitor_rcv_bufs lvs_netlink_cmd_rcv_bufs lvs_netlink_monitor_rcv_bufs process_monitor_rcv_bufs
default_track_group admin_api metrics status_page`),
  vrrp_instance: words(VRRP),
  virtual_server: words(SERVICE, SERVER, CHECKERS, CHECK),
  real_server: words(SERVICE, SERVER, "BFD_CHECK"),
  vrrp_sync_group: words(
    "global_tracking sync_group_tracking_weight track_bfd track_src_ip notify_priority_changes smtp_alert",
  ),
  virtual_ipaddress: words("home mngtmpaddr noprefixroute autojoin track_group use_vmac valid_lft"),
  virtual_routes:
    words(`throw local broadcast multicast nat tos dsfield realms mtu advmss rtt rttvar reordering window cwnd ssthresh
rto_min hoplimit initcwnd initrwnd quickack features congctl expires pref proto protocol encap nexthop weight track_group fastopen_no_cookie
ttl-propagate as inet inet6`),
  virtual_rules:
    words(`not tos dsfield realms goto nop suppress_prefixlength suppress_ifgroup ipproto sport dport uidrange tun_id l3mdev
protocol blackhole unreachable prohibit type track_group nat inet inet6`),
};

/** A hint when the key is known but belongs to a later version; undefined when it is not a key at all. */
export function notYet(block: string, key: string): string | undefined {
  if (!BLOCKS[block]?.has(key)) return undefined;
  return "remove it, or keep keepalived for this node until a version supports it";
}
