/** Names without a machine. */
import { type Names, parseServices } from "../../src/ipvsadm/names.ts";

const SERVICES = parseServices(`
# the services the tests speak of
ftp\t\t21/tcp
domain\t\t53/tcp
domain\t\t53/udp
tftp\t\t69/udp
http\t\t80/tcp\t\twww\t\t# WorldWideWeb HTTP
https\t\t443/tcp
http-alt\t8080/tcp\twebcache
http-other\t8080/tcp
odd\t\t99999/tcp
broken line
`);

const HOSTS: Readonly<Record<string, string>> = {
  localhost: "127.0.0.1",
  "director.example": "192.0.2.1",
  "a-very-long-name-of-a-director.some-department.some-organisation.example": "192.0.2.2",
  "six.example": "2001:db8::1",
};

export const NAMES: Names = {
  ipv4Of: async (host) => (HOSTS[host]?.includes(":") ? undefined : HOSTS[host]),
  hostOf: async (address) => Object.entries(HOSTS).find(([, known]) => known === address)?.[0],
  portOf: (service, protocol) => SERVICES.ports.get(`${service}/${protocol}`),
  serviceOf: (port, protocol) => SERVICES.names.get(`${port}/${protocol}`),
};
