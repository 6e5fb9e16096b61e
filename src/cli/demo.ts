/** `vipward demo` */
export async function demoCommand(_options: { dataplane: string; entries: URL }): Promise<number> {
  throw new Error("placeholder while the demo is being written");
}
