import { describe, expect, it } from "vitest";
import { yaml } from "../../src/config/keepalived-conf/write.ts";
import { importLdirectord } from "../../src/config/ldirectord/import.ts";
import { parseConfig } from "../../src/config/load.ts";

const options = { hostname: "lb01" };

const run = (text: string) => {
  const imported = importLdirectord(text, "ldirectord.cf", options);
  const written = yaml(imported.document, "ldirectord.cf");
  const loaded = parseConfig(written, "x.yaml", options);
  expect(loaded.ok && loaded.config.hash).toBe(imported.result.ok && imported.result.config.hash);
  return {
    imported,
    yaml: written,
    said: imported.notes.list().map(({ severity, line, message }) => `${severity} ${line}: ${message}`),
  };
};

/** After the sample in the manual page. */
const SAMPLE = `# Global Directives
checktimeout=3
checkinterval=1
fallback=127.0.0.1:80 gate
autoreload=yes
logfile="local0"
quiescent=no

# A sample virtual with a fallback that will override the global setting
virtual=192.168.6.240:80
        real=192.168.6.2:80 gate
        real=192.168.6.3:80 gate 10
        real=192.168.6.4->192.168.6.6:80 gate 5 "/other", "Other page"
        fallback=192.168.6.9:80 gate
        service=http
        request="index.html"
        receive="Test Page"
        virtualhost=www.example.com
        scheduler=rr
        persistent=600
        netmask=255.255.255.0
        protocol=tcp
        checktype=negotiate
        negotiatetimeout=4
        failurecount=3
        quiescent=yes

virtual=192.168.6.240:53
        real=192.168.6.2:53 masq
        protocol=udp
        scheduler=wlc
        service=dns
        request="www.example.com"
        receive="192.0.2.80"
        fallback=192.168.6.9 masq
`;

describe("import --ldirectord", () => {
  it("the manual's sample", () => {
    const { yaml: text, said } = run(SAMPLE);
    expect(said).toEqual([
      "warning 5: left out: autoreload has no counterpart in vipward",
      "warning 6: left out: logfile has no counterpart in vipward",
    ]);
    expect(text).toMatchInlineSnapshot(`
      "# Made by vipward import from ldirectord.cf. vipward check validates it.
      virtual_server:
        192.168.6.240 80:
          delay_loop: 1
          lb_algo: rr
          protocol: TCP
          persistence_timeout: 600
          persistence_granularity: 255.255.255.0
          inhibit_on_failure: true
          alpha: true
          lb_kind: DR
          real_server:
            192.168.6.2 80:
              weight: 1
              HTTP_GET:
                connect_timeout: 4
                retry: 2
                delay_before_retry: 1
                url:
                  - path: /index.html
                    regex: Test Page
                virtualhost: www.example.com
            192.168.6.3 80:
              weight: 10
              HTTP_GET:
                connect_timeout: 4
                retry: 2
                delay_before_retry: 1
                url:
                  - path: /index.html
                    regex: Test Page
                virtualhost: www.example.com
            192.168.6.4 80:
              weight: 5
              HTTP_GET:
                connect_timeout: 4
                retry: 2
                delay_before_retry: 1
                url:
                  - path: /other
                    regex: Other page
                virtualhost: www.example.com
            192.168.6.5 80:
              weight: 5
              HTTP_GET:
                connect_timeout: 4
                retry: 2
                delay_before_retry: 1
                url:
                  - path: /other
                    regex: Other page
                virtualhost: www.example.com
            192.168.6.6 80:
              weight: 5
              HTTP_GET:
                connect_timeout: 4
                retry: 2
                delay_before_retry: 1
                url:
                  - path: /other
                    regex: Other page
                virtualhost: www.example.com
          sorry_server: 192.168.6.9 80
        192.168.6.240 53:
          delay_loop: 1
          lb_algo: wlc
          protocol: UDP
          alpha: true
          lb_kind: NAT
          real_server:
            192.168.6.2 53:
              weight: 1
              DNS_CHECK:
                connect_timeout: 30
                retry: 0
                delay_before_retry: 1
                type: A
                name: www.example.com
                expect: 192.0.2.80
          sorry_server: 192.168.6.9 53
      "
    `);
  });

  it.each([
    ["checktype=connect", "TCP_CHECK", []],
    ["checktype=ping", "PING_CHECK", []],
    ["checktype=3", "HTTP_GET", ["checktype 3: written as negotiate every time"]],
    ["checktype=external\n checkcommand=/usr/local/bin/check", "MISC_CHECK", []],
    ["service=smtp", "SMTP_CHECK", []],
    ["service=https", "SSL_GET", []],
    ["service=simpletcp\n request=PING\n receive=PONG", "TCP_CHECK", []],
    [
      "service=mysql",
      "TCP_CHECK",
      [
        "a negotiate check of mysql is not supported by this version of vipward yet: written as a connect check",
      ],
    ],
    ["checktype=on", undefined, []],
    ["checktype=off", undefined, ["checktype off: no real server is ever used: written with weight 0"]],
    ["protocol=udp\n checktype=connect", "UDP_CHECK", ["a connect check of UDP: written as UDP_CHECK"]],
  ])("%s: %s", (settings, type, warnings) => {
    const { imported, said } = run(`virtual=192.0.2.10:80\n real=192.0.2.2:80 masq\n ${settings}\n`);
    expect(said.map((line) => line.replace(/^warning \d+: /, ""))).toEqual(warnings);
    const server = imported.result.ok ? imported.result.config.services[0]?.realServers[0] : undefined;
    expect(server?.checkers[0]?.type).toBe(type);
    expect(server?.weight).toBe(settings === "checktype=off" ? 0 : 1);
  });

  it("an external check gets the addresses and ports as arguments (ldirectord.cf checkcommand)", () => {
    const { imported } = run(
      "virtual=192.0.2.10:80\n real=192.0.2.2:8080 masq\n checktype=external\n checkcommand=/opt/check\n",
    );
    const checker = imported.result.ok
      ? imported.result.config.services[0]?.realServers[0]?.checkers[0]
      : undefined;
    expect(checker).toMatchObject({ argv: ["/opt/check", "192.0.2.10", "80", "192.0.2.2", "8080"] });
  });

  it("what can't be carried over is named with its line", () => {
    const { said } = run(`emailalert="admin@example.com"
checkcount = 3
virtual=www.example.com:80
    real=192.0.2.2:80 gate
virtual=7
    protocol=fwm
    real=192.0.2.2:80 gate
virtual=192.0.2.10:80
    real=backend:80 gate
    real=192.0.2.3:80
    login = "x"
    ???
`);
    expect(said).toMatchInlineSnapshot(`
      [
        "warning 1: left out: emailalert: mail is not supported by this version of vipward yet",
        "warning 3: left out: virtual "www.example.com:80" is not an address and port",
        "warning 5: left out: virtual_server "fwmark ..." is not supported by this version of vipward yet",
        "warning 7: left out: TCP_CHECK has no port: the real server's port is 0",
        "warning 9: left out: real "backend" is not an address and port",
        "error 10: real can't be read",
        "warning 11: left out: login is not supported by this version of vipward yet",
        "error 12: not a setting",
      ]
    `);
  });
});
