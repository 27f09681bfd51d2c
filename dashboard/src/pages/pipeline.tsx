import { Page } from '../components/page.tsx';

export default function Pipeline() {
  return <Page title="Pipeline">{null}</Page>;
}
