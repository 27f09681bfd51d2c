/** Of the driver's own parts, the timer of the checks of one server. */
interface Checked {
  monitor: { monitorId: { stop(): void } };
}

/** Ends a MongoClient's looking for its servers, as the driver itself does at times: see `reconnect` in `shared/mongodb.ts`. */
export function stopMonitors(client: unknown): void {
  const { topology } = client as { topology: { s: { servers: Map<string, Checked> } } };
  for (const { monitor } of topology.s.servers.values()) monitor.monitorId.stop();
}
