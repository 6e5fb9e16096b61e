/** Keys keepalived has and this version lacks: refused by name, never silently ignored. */

const VRRP = `virtual_ipaddress_excluded virtual_routes virtual_rules unicast_src_ip unicast_peer unicast_ttl check_unicast_src
unicast_fault_no_peer use_vmac use_vmac_addr use_ipvlan vmac_xmit_base vmac_garp_intvl dont_track_primary track_interface
track_script track_process track_file track_bfd track_gateway track_virtual_server track_src_ip promote_secondaries accept no_accept
notify notify_master notify_backup notify_fault notify_stop notify_deleted notify_master_rx_lower_pri notify_priority_changes
smtp_alert debug linkbeat_use_polling auth_hmac v3_checksum_as_v2 higher_prio_send_advert lower_prio_no_advert
garp_lower_prio_delay garp_lower_prio_repeat garp_extra_if garp_intvl native_ipv6 skip_check_adv_addr fast_recovery
kernel_rx_buf transport heartbeat_interfaces thread_timer_expired sync_group rotation_lvs_sync_daemon mcast_dst_ip owner_ignore_adverts`;
const SERVICE = `ops lvs_flags sh-port sh-fallback mh-port mh-fallback persistence_engine omega ha_suspend quorum_up quorum_down
quorum_max sorry_server_inhibit notify_up notify_down smtp_alert bind_to ip_family snmp_name fwmark max_eject slow_start
fullnat_source notify_quorum_up notify_quorum_down`;
const SERVER =
  "notify_up notify_down smtp_alert snmp_name ipip gue gre tun_type tun_port tun_flags max_connections drain maintenance";
const CHECKERS =
  "SSL_GET SMTP_CHECK DNS_CHECK UDP_CHECK PING_CHECK MISC_CHECK FILE_CHECK GRPC_CHECK BFD_CHECK EXTERNAL";
const CHECK = "bind_port bind_if fwmark log_all_failures rise fall fall_timeout";
const words = (...texts: string[]): ReadonlySet<string> => new Set(texts.join(" ").split(/\s+/));

const BLOCKS: Readonly<Record<string, ReadonlySet<string>>> = {
  "the file":
    words(`vrrp_sync_group virtual_server_group vrrp_script vrrp_track_process vrrp_track_file track_file static_ipaddress
static_routes static_rules static_track_group bfd_instance linkbeat_interfaces linkbeat_use_polling SSL ssl include net_namespace
ipvs_namespace instance use_pid_dir lvs_timeouts interface_up_down_delays garp_group vrrp_track_bfd`),
  global_defs:
    words(`notification_email notification_email_from smtp_server smtp_helo_name smtp_connect_timeout smtp_alert smtp_alert_vrrp
smtp_alert_checker no_email_faults vrrp_garp_lower_prio_delay vrrp_garp_lower_prio_repeat vrrp_garp_interval vrrp_gna_interval
vrrp_garp_extra_if vrrp_mcast_group4 vrrp_mcast_group6 default_interface lvs_sync_daemon lvs_timeouts lvs_flush_on_stop lvs_sysctl
vrrp_lower_prio_no_advert vrrp_higher_prio_send_advert vrrp_iptables vrrp_ipsets vrrp_nftables vrrp_check_unicast_src
vrrp_skip_check_adv_addr vrrp_priority checker_priority bfd_priority vrrp_no_swap checker_no_swap vrrp_rt_priority checker_rt_priority
vrrp_rlimit_rttime vrrp_rlimit_rtime vrrp_cpu_affinity checker_cpu_affinity process_names script_user enable_script_security script_security
notify_fifo notify_fifo_script vrrp_notify_fifo vrrp_notify_fifo_script lvs_notify_fifo lvs_notify_fifo_script notify_priority_changes
enable_snmp_keepalived enable_snmp_vrrp enable_snmp_checker enable_snmp_rfc enable_snmp_rfcv2 enable_snmp_rfcv3 enable_traps snmp_socket
enable_dbus dbus_service_name dynamic_interfaces startup_script shutdown_script max_auto_priority min_auto_priority_delay child_wait_time
vrrp_startup_delay reload_repeat reload_time_file reload_check_config reload_file umask state_dump_file stats_file json_version
disable_local_igmp checker_log_all_failures nftables nftables_priority nftables_counters use_symlink_paths random_seed use_pid_dir
vmac_prefix vmac_addr_prefix tmp_config_directory config_save_dir data_use_instance rs_init_notifies manage_sysctl log_unknown_vrids
vrrp_netlink_cmd_rcv_bufs vrrp_netlink_monitor_rcv_bufs lvs_netlink_cmd_rcv_bufs lvs_netlink_monitor_rcv_bufs process_monitor_rcv_bufs
vrrp_track_process default_track_group admin_api metrics status_page`),
  vrrp_instance: words(VRRP),
  authentication: words("auth_hmac key active_key"),
  virtual_server: words(SERVICE, SERVER, CHECKERS, CHECK),
  real_server: words(SERVICE, SERVER, CHECKERS),
  TCP_CHECK: words(CHECK, "send expect"),
  HTTP_GET: words(
    CHECK,
    "regex_options regex_stack tls_compliant enable_sni sni_name verify ca fast_recovery follow method",
  ),
  url: words(`digest sha256 regex regex_no_match regex_min_offset regex_max_offset regex_options regex_stack tls_compliant method headers
enable_sni sni_name follow`),
  virtual_ipaddress: words(
    "peer nodad home mngtmpaddr noprefixroute autojoin preferred_lft no_track track_group use_vmac valid_lft",
  ),
};

/** A hint when the key is known but belongs to a later version; undefined when it is not a key at all. */
export function notYet(block: string, key: string): string | undefined {
  if (!BLOCKS[block]?.has(key)) return undefined;
  return "remove it, or keep keepalived for this node until a version supports it";
}
