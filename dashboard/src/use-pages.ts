import { useEffect, useState } from 'react';
import { type ApiError, callApi } from './api.ts';
import { type Resource, useResource } from './use-resource.ts';

interface ListPage<Item> {
  items: Item[];
  nextCursor: string | null;
}

export interface Pages<Item> {
  /** The first page; the others are there only when it is. */
  first: Resource<Answer<Item>>;
  /** Of all pages that are loaded. */
  items: Item[];
  hasMore: boolean;
  isLoading: boolean;
  /** Why the next page is not there. */
  error: ApiError | undefined;
  loadMore: () => void;
  /** Begins again with the first page. */
  reload: () => void;
}

/** The name of the list in the answer is that of its route. */
type Answer<Item> = Record<string, Item[] | string | null>;

/** A list of the API, page by page, as far as the reader wants it. `query` begins with `?` or is empty. */
export function usePages<Item>(route: string, listName: string, query: string): Pages<Item> {
  const path = `${route}${query}`;
  const first = useResource<Answer<Item>>(path);
  const [further, setFurther] = useState<ListPage<Item>[]>([]);
  const [isLoading, setLoading] = useState(false);
  const [error, setError] = useState<ApiError>();
  // What was loaded behind another first page does not fit behind this one.
  useEffect(() => {
    setFurther([]);
    setError(undefined);
  }, [first.data]);

  const pages = [...(first.data ? [pageOf<Item>(first.data, listName)] : []), ...further];
  const cursor = pages.at(-1)?.nextCursor ?? null;
  async function loadMore(): Promise<void> {
    if (cursor === null || isLoading) return;
    setLoading(true);
    setError(undefined);
    try {
      const next = `${path}${query === '' ? '?' : '&'}cursor=${encodeURIComponent(cursor)}`;
      const answer = await callApi<Answer<Item>>(next);
      setFurther((last) => [...last, pageOf<Item>(answer, listName)]);
    } catch (failure) {
      setError(failure as ApiError);
    } finally {
      setLoading(false);
    }
  }

  return {
    ...{ first, isLoading, error, hasMore: cursor !== null, reload: first.reload },
    items: pages.flatMap(({ items }) => items),
    loadMore: () => void loadMore(),
  };
}

function pageOf<Item>(answer: Answer<Item>, listName: string): ListPage<Item> {
  return { items: answer[listName] as Item[], nextCursor: answer.nextCursor as string | null };
}
