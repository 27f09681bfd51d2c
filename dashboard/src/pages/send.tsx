import { Page } from '../components/page.tsx';

export default function Send() {
  return <Page title="Send an event">{null}</Page>;
}
