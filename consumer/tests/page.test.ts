import { PAGE_LENGTH_MAX, pageOf } from '../store/page.ts';

test.each([
  ['path first', { path: '/path', page: '/page', page_path: '/page_path' }, '/path'],
  ['then page', { page_path: '/page_path', page: '/page' }, '/page'],
  ['then page_path', { page_path: '/page_path', title: 'Home' }, '/page_path'],
  [
    'what is no string is passed over',
    { path: 7, page: { path: '/deep' }, page_path: '/page_path' },
    '/page_path',
  ],
  ['the empty one is a name too', { path: '', page: '/page' }, ''],
  ['none of them', { title: 'Home' }, null],
  ['a long one is cut', { path: 'x'.repeat(PAGE_LENGTH_MAX + 1) }, 'x'.repeat(PAGE_LENGTH_MAX)],
  ['no character is halved', { path: `${'x'.repeat(199)}\u{1F600}` }, 'x'.repeat(199)],
  ['a whole one is kept', { path: `${'x'.repeat(198)}\u{1F600}/` }, `${'x'.repeat(198)}\u{1F600}`],
])('the page of an event: %s', (_name, payload, page) => {
  expect(pageOf(payload)).toBe(page);
});
