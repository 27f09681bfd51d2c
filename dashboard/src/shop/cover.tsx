import { type ReactNode } from 'react';
import { type Book } from './books.ts';

/** The pictures on the covers, on a sheet of 120 by 170; titles are set below them. */
const pictures: Record<string, (ink: string, accent: string) => ReactNode> = {
  'quiet-ledger': (ink, accent) => (
    <>
      {[58, 70, 82, 94, 106].map((y) => (
        <path key={y} d={`M18 ${y}h84`} stroke={ink} strokeWidth="1.5" opacity=".55" />
      ))}
      <path d="M18 94h84" stroke={accent} strokeWidth="4" />
      <circle cx="90" cy="94" r="9" fill={accent} />
    </>
  ),
  'salt-and-static': (ink, accent) => (
    <>
      {[16, 28, 40, 52].map((r) => (
        <circle key={r} cx="60" cy="104" r={r} fill="none" stroke={ink} strokeWidth="1.5" opacity={20 / r} />
      ))}
      <path d="M55 130l2-38h6l2 38z" fill={ink} />
      <circle cx="60" cy="88" r="6" fill={accent} />
    </>
  ),
  'small-hours': (ink, accent) => (
    <>
      <circle cx="60" cy="96" r="30" fill={accent} />
      <circle cx="72" cy="88" r="27" fill="#2b2350" />
      {['24 72', '94 118', '30 126', '98 70', '62 60'].map((place) => (
        <circle key={place} cx={place.split(' ')[0]} cy={place.split(' ')[1]} r="1.8" fill={ink} />
      ))}
    </>
  ),
  'orbit-teacup': (ink, accent) => (
    <>
      <ellipse cx="60" cy="104" rx="42" ry="13" fill="none" stroke={ink} strokeWidth="1.5" />
      <path d="M40 80h40v14a20 20 0 0 1-40 0z" fill={ink} />
      <path d="M80 83a8 8 0 0 1 0 16" fill="none" stroke={ink} strokeWidth="4" />
      <circle cx="99" cy="98" r="5" fill={accent} />
    </>
  ),
  'eleven-winters': (ink, accent) => (
    <>
      <path d="M0 118l34-40 22 26 20-24 44 52v38H0z" fill={ink} opacity=".85" />
      <path d="M34 78l-11 13 9-3 6 5 7-1zM76 80l-9 11 8-2 7 4 6-1z" fill={accent} />
      <path d="M0 134h120v36H0z" fill={accent} opacity=".55" />
    </>
  ),
  'mapmakers-bees': (ink, accent) => (
    <>
      <path
        d="M10 120c24-46 44 10 60-30s28-8 40-34"
        fill="none"
        stroke={ink}
        strokeWidth="2"
        strokeDasharray="4 5"
      />
      <ellipse cx="70" cy="90" rx="15" ry="10" fill={ink} />
      <path d="M64 81v18M72 80v20" stroke="#f4c95d" strokeWidth="4" />
      <ellipse cx="66" cy="76" rx="6" ry="9" fill={accent} opacity=".9" />
      <ellipse cx="77" cy="77" rx="6" ry="8" fill={accent} opacity=".9" />
    </>
  ),
};

/** The cover of a book, drawn; the words beside it say the same, so that nobody has to have it read out. */
export function Cover({ book }: { book: Book }) {
  const [paper, ink, accent] = book.colors;
  return (
    <svg className="cover" viewBox="0 0 120 170" aria-hidden="true">
      <rect width="120" height="170" rx="3" fill={paper} />
      {pictures[book.sku]?.(ink, accent)}
      <path d="M6 0v170" stroke="#000" strokeOpacity=".16" strokeWidth="2" />
      {titleLines(book.title).map((line, index) => (
        <text key={line} x="16" y={26 + index * 14} fill={ink} className="cover-title">
          {line}
        </text>
      ))}
      <text x="16" y="158" fill={ink} className="cover-author">
        {book.author}
      </text>
    </svg>
  );
}

function titleLines(title: string): string[] {
  const lines = [''];
  for (const word of title.split(' ')) {
    const longer = `${lines.at(-1) ?? ''} ${word}`.trim();
    if (longer.length > 12) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}
