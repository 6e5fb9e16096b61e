/** `ipvs -h`, in our own words: ipvsadm(8) is the manual. */

/** `version` is vipward's. */
export function versionText(version: string): string {
  return `vipward ipvs ${version}, with the command line of ipvsadm 1.31\n`;
}

export const HELP = `vipward ipvs COMMAND [OPTIONS]: the kernel's IPVS table, as ipvsadm(8) shows and changes it

Virtual services
  -A, --add-service SERVICE [-s SCHEDULER] [-p [SECONDS]] [-M NETMASK] [--pe sip] [-b FLAGS] [-o]
  -E, --edit-service SERVICE ...        the same options; what is not given takes its default
  -D, --delete-service SERVICE
Real servers
  -a, --add-server SERVICE -r SERVER [-g|-i|-m] [-w WEIGHT] [-x UPPER] [-y LOWER] [TUNNEL]
  -e, --edit-server SERVICE -r SERVER ...
  -d, --delete-server SERVICE -r SERVER
The table
  -L, -l, --list [SERVICE] [COLUMNS]    also: what no command at all does
  -S, --save [-n]                       as rules, for -R
  -R, --restore                         rules from standard input, one per line
  -C, --clear                           removes everything
  -Z, --zero [SERVICE]                  sets counters to zero
Connections
  -L -c, --connection [-n] [--persistent-conn]
  -L --timeout                          idle timeouts in seconds
  --set TCP TCPFIN UDP                  changes them; 0 leaves one as it is
Synchronisation daemons
  -L --daemon
  --start-daemon master|backup --mcast-interface INTERFACE [--syncid 0..255] [--sync-maxlen BYTES]
                 [--mcast-group ADDRESS] [--mcast-port PORT] [--mcast-ttl TTL]
  --stop-daemon master|backup

SERVICE   -t, --tcp-service ADDRESS:PORT | -u, --udp-service ADDRESS:PORT | --sctp-service ADDRESS:PORT
          | -f, --fwmark-service MARK [-6, --ipv6]
          an address is 192.0.2.1, [2001:db8::1] or a host name, a port its number or name
-s        rr wrr lc wlc (default) lblc lblcr dh sh mh sed nq fo ovf
-b        --sched-flags, comma-separated: sh-fallback sh-port mh-fallback mh-port, or flag-1 flag-2 flag-3
-p        --persistent, 360 seconds unless given; -M groups clients by netmask or IPv6 prefix length
-o        --ops, one-packet scheduling (UDP)
-r        --real-server ADDRESS[:PORT], the service's port unless given
-g -i -m  --gatewaying (direct routing, default), --ipip (tunnel), --masquerading (NAT)
TUNNEL    --tun-type ipip|gue|gre [--tun-port PORT] [--tun-nocsum|--tun-csum|--tun-remcsum]
-w -x -y  --weight (default 1), --u-threshold, --l-threshold
COLUMNS   --stats, --rate, --thresholds, --persistent-conn, --tun-info; --exact (no K, M, G);
          --nosort (the kernel's order); -n, --numeric (no names); --json (for programs)
-h, -v    this text; the version
`;
