import Image from 'next/image';

/** First what next/image asks for by itself, then the very bytes each later question brought. */
export default function Picture({ url }) {
  return (
    <figure className="picture">
      <Image src={url ?? '/api/picture'} width={960} height={540} alt="Three jars on a shelf and a clock that stands still" priority />
      <figcaption>
        The clock in the picture is when it was drawn. The strip below it is the same time in 32 blocks; the age above is
        read from these pixels.
      </figcaption>
    </figure>
  );
}
