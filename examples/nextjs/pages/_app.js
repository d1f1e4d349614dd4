import Frame from '../components/frame.js';
import '../app/globals.css';

export default function App({ Component, pageProps }) {
  return (
    <Frame>
      <Component {...pageProps} />
    </Frame>
  );
}
