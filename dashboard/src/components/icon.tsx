/** Strokes on a grid of 24. */
const shapes = {
  brand: 'M3 13h4l3-8 4 14 3-6h4',
  overview: 'M4 20V10M10 20V4M16 20v-7M21 20H3',
  live: 'M12 12h.01M8.5 15.5a5 5 0 0 1 0-7M15.5 8.5a5 5 0 0 1 0 7M5.6 18.4a9 9 0 0 1 0-12.8M18.4 5.6a9 9 0 0 1 0 12.8',
  pipeline: 'M3 12h4m10 0h4M7 8h10v8H7zM12 8v8',
  'dead-letters': 'M3 6h18v12H3zM3 7l9 6 9-6',
  send: 'M4 12 20 4l-5 16-4-7zM11 13l9-9',
  shop: 'M5 8h14l1 12H4zM9 11V6a3 3 0 0 1 6 0v5',
  key: 'M14 10a4 4 0 1 0-4 4 4 4 0 0 0 4-4Zm-1 3 8 8m-3-3 2-2',
  menu: 'M4 7h16M4 12h16M4 17h16',
  user: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4 21a8 8 0 0 1 16 0',
  event: 'M5 4h14v16H5zM9 9h6M9 13h6',
  pause: 'M8 5v14M16 5v14',
  play: 'M7 5v14l12-7z',
  table: 'M3 5h18v14H3zM3 10h18M9 10v9',
  chart: 'M3 17l6-7 4 4 8-9',
  warning: 'M12 4 2.5 20h19zM12 10v4m0 3h.01',
  retry: 'M20 11a8 8 0 1 0-2.3 6.2M20 5v6h-6',
  check: 'M5 12l5 5 9-10',
} as const;

export type IconName = keyof typeof shapes;

/** Decoration: the text beside it says the same. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={shapes[name]} />
    </svg>
  );
}
