import { Page } from '../components/page.tsx';
import { useParam } from '../paths.ts';

export default function Event() {
  return <Page title={useParam('eventId')}>{null}</Page>;
}
