import { useTrackProps } from '@event-tracker/tracker/react';
import { useLocation } from 'wouter';
import { authors, books } from './books.ts';

type Author = (typeof authors)[number];

/** The shop's second page. */
export function Authors() {
  return (
    <section aria-labelledby="shop-authors">
      <h2 id="shop-authors">The authors</h2>
      <ul className="shop-authors">
        {authors.map((author) => (
          <AuthorCard key={author.name} author={author} />
        ))}
      </ul>
    </section>
  );
}

function AuthorCard({ author: { name, about, color } }: { author: Author }) {
  const [path] = useLocation();
  const trackProps = useTrackProps('AuthorCard', { path, author: name });
  const titles = books.filter(({ author }) => author === name).map(({ title }) => title);
  return (
    <li {...trackProps}>
      <svg viewBox="0 0 64 64" aria-hidden="true">
        <circle cx="32" cy="32" r="32" fill={color} />
        <text x="32" y="39" textAnchor="middle" fill="#fff">
          {initials(name)}
        </text>
      </svg>
      <div>
        <h3>{name}</h3>
        <p>{about}</p>
        <p className="shop-author">{titles.join(' · ')}</p>
      </div>
    </li>
  );
}

function initials(name: string): string {
  return name
    .split(' ')
    .map((word) => word.charAt(0))
    .join('');
}
