/** A dual-stack socket names an IPv4 client as ::ffff:203.0.113.7; this is 203.0.113.7 then, else the address as it is. */
export function ipv4Of(address: string): string {
  return /^::ffff:\d+\./i.test(address) ? address.slice(7) : address;
}
