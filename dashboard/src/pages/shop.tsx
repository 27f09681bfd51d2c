import { Page } from '../components/page.tsx';

export default function Shop() {
  return <Page title="Demo shop">{null}</Page>;
}
