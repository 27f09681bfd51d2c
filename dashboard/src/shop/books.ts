export interface Book {
  sku: string;
  title: string;
  author: string;
  price: number;
  blurb: string;
  /** Of the cover: paper, ink and a third colour. */
  colors: [paper: string, ink: string, accent: string];
}

export const books: readonly Book[] = [
  {
    sku: 'quiet-ledger',
    title: 'The Quiet Ledger',
    author: 'Mara Lindqvist',
    price: 18,
    blurb: 'A bookkeeper finds one entry too many, and follows it home.',
    colors: ['#f3e3c8', '#1f3a4d', '#c2512f'],
  },
  {
    sku: 'salt-and-static',
    title: 'Salt and Static',
    author: 'Tomas Okafor',
    price: 16.5,
    blurb: 'Two radio operators, one lighthouse and a winter of messages.',
    colors: ['#14343b', '#f2efe6', '#e0a33e'],
  },
  {
    sku: 'small-hours',
    title: 'A Field Guide to Small Hours',
    author: 'Ines Duarte',
    price: 21,
    blurb: 'What is awake at four in the morning, and how to greet it.',
    colors: ['#2b2350', '#f6e7d7', '#ef8f6b'],
  },
  {
    sku: 'orbit-teacup',
    title: 'Orbit of a Teacup',
    author: 'Jun Hayashi',
    price: 14,
    blurb: 'Stories the size of a saucer, for reading while it cools.',
    colors: ['#d8e6dc', '#24473a', '#d9694a'],
  },
  {
    sku: 'eleven-winters',
    title: 'Eleven Winters',
    author: 'Mara Lindqvist',
    price: 19.5,
    blurb: 'A family, a frozen lake and the letters they left under it.',
    colors: ['#cfdff0', '#20365c', '#ffffff'],
  },
  {
    sku: 'mapmakers-bees',
    title: 'The Mapmaker’s Bees',
    author: 'Ada Novak',
    price: 17,
    blurb: 'She draws the meadows; they correct her.',
    colors: ['#f4c95d', '#3a2a12', '#ffffff'],
  },
];

export const authors: readonly { name: string; about: string; color: string }[] = [
  {
    name: 'Mara Lindqvist',
    about: 'Counts other people’s money by day and words by night.',
    color: '#1f4e6b',
  },
  {
    name: 'Tomas Okafor',
    about: 'Former ship’s electrician. Still checks the fuses first.',
    color: '#14594f',
  },
  { name: 'Ines Duarte', about: 'Ornithologist, insomniac, in that order.', color: '#57408f' },
  { name: 'Jun Hayashi', about: 'Writes at the kitchen table, between two kettles.', color: '#8c3f27' },
  { name: 'Ada Novak', about: 'Draws maps of places that have not agreed to it.', color: '#6d5310' },
];

const money = new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR' });
export const inEuro = (amount: number) => money.format(amount);
