import { createRandom, type Random } from '../random.ts';

/** What a client of the API sends. */
export interface DemoEvent {
  eventId: string;
  userId: string;
  eventType: string;
  timestamp: string;
  payload: Record<string, unknown>;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** How busy the shop is in each hour of a day, of ten. */
const HOURS = [1, 1, 0, 0, 1, 1, 2, 4, 5, 6, 7, 8, 9, 7, 6, 6, 7, 8, 9, 10, 9, 7, 4, 2];

const books = [
  { sku: 'quiet-ledger', title: 'The Quiet Ledger', price: 18 },
  { sku: 'small-hours', title: 'A Field Guide to Small Hours', price: 21 },
  { sku: 'orbit-teacup', title: 'Orbit of a Teacup', price: 14 },
  { sku: 'eleven-winters', title: 'Eleven Winters', price: 19.5 },
  { sku: 'mapmakers-bees', title: 'The Mapmaker’s Bees', price: 17 },
] as const;
const names = [
  'anna',
  'ben',
  'chiara',
  'david',
  'emil',
  'fatou',
  'greta',
  'hugo',
  'ines',
  'jonas',
  'kaya',
  'lea',
];
const referrers = ['https://www.google.com/', 'https://news.ycombinator.com/', '', '', ''];
const searches = ['winter', 'gift', 'short stories', 'bees', 'lindqvist'];

/** The visits of a small bookshop over some days up to `now`, oldest event first; the same for the same seed. */
export function createDemoEvents(seed: number, now: Date, days: number, visits: number): DemoEvent[] {
  const random = createRandom(seed);
  const events: DemoEvent[] = [];
  for (let visit = 0; visit < visits; visit += 1) {
    const userId = `${random.pick(names)}-${random.zipf(60) + 1}`;
    let time = startOfVisit(random, now.getTime(), days);
    for (const [eventType, payload] of steps(random)) {
      if (time > now.getTime()) break;
      const timestamp = new Date(time).toISOString();
      events.push({ eventId: `demo-${seed}-${events.length}`, userId, eventType, timestamp, payload });
      time += random.integer(2000, 90_000);
    }
  }
  return events.sort((a, b) => a.timestamp.localeCompare(b.timestamp));
}

/** More often by day, on weekdays and lately. */
function startOfVisit(random: Random, now: number, days: number): number {
  for (;;) {
    const age = random.next() * days * DAY_MS;
    const start = new Date(now - age);
    const isWeekend = start.getUTCDay() % 6 === 0;
    const growth = 1 - (age / (days * DAY_MS)) * 0.55;
    if (random.chance(((HOURS[start.getUTCHours()] ?? 0) / 10) * growth * (isWeekend ? 0.6 : 1)))
      return start.getTime();
  }
}

type Step = [eventType: string, payload: Record<string, unknown>];

/** What one visitor does, from the landing page to the order, if it comes to that. */
function* steps(random: Random): Generator<Step> {
  const view = (path: string, title: string): Step => ['page_view', { path, title, referrer: '' }];
  if (random.chance(0.3)) yield ['login', { path: '/login', method: random.pick(['password', 'passkey']) }];
  yield ['page_view', { path: '/', title: 'Home', referrer: random.pick(referrers) }];
  if (random.chance(0.25)) yield ['search', { path: '/search', query: random.pick(searches) }];
  if (random.chance(0.7)) yield view('/books', 'All books');
  let basket = 0;
  while (random.chance(0.6)) {
    const { sku, title, price } = books[random.zipf(books.length)] ?? books[0];
    const path = `/books/${sku}`;
    yield view(path, title);
    if (random.chance(0.5))
      yield ['click', { path, tag: 'button', id: 'details', text: 'Details', component: 'BookCard' }];
    if (random.chance(0.4)) {
      basket += price;
      yield ['add_to_cart', { path, sku, price, quantity: 1 }];
    }
  }
  if (random.chance(0.12)) yield view('/authors', 'Authors');
  if (random.chance(0.05)) yield ['newsletter_signup', { path: '/', list: 'weekly' }];
  if (basket === 0 || random.chance(0.4)) return;
  yield view('/cart', 'Your cart');
  yield ['order_paid', { path: '/checkout', total: basket, currency: 'EUR', express: random.chance(0.2) }];
}

/** One that has just happened, as that of the page of an event should have. */
export function freshOrder(): DemoEvent {
  return {
    ...{ eventId: 'demo-order', userId: 'anna-1', eventType: 'order_paid' },
    timestamp: new Date(Date.now() - 1400).toISOString(),
    payload: {
      ...{ path: '/checkout', total: 54.5, currency: 'EUR' },
      items: ['quiet-ledger', 'eleven-winters', 'mapmakers-bees'],
    },
  };
}

/** Messages of other programs on the queue that are no events: each becomes a dead letter. */
export const brokenMessages: readonly string[] = [
  '{"eventId":"import-7731","userId":"anna-4","eventType":"order_paid","timestamp":"yesterday","payload":{"total":"89,00"},"source":"import","receivedAt":"2026-02-19T10:00:00.000Z","requestId":null,"ip":null,"userAgent":null}',
  '{"eventId":"import-7732","userId":"","eventType":"order_paid","timestamp":"2026-02-19T10:04:00Z","payload":{"total":64},"source":"import","receivedAt":"2026-02-19T10:04:00.000Z","requestId":null,"ip":null,"userAgent":null}',
  '{"eventId":"crm-118","userId":"ben-2","timestamp":"2026-02-19T11:00:00Z","payload":{"stage":"lead"},"source":"crm","receivedAt":"2026-02-19T11:00:00.000Z","requestId":null,"ip":null,"userAgent":null}',
  '<order id="4711"><total>89.00</total></order>',
  '{"eventId":"import-7733","userId":"hugo-1","eventType":"order_paid","timestamp":"2026-02-19T',
];
