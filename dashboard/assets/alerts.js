// The alerts page: nothing to list until alert rules run; how the fleet is, meanwhile.
import { find, setFreshness, setText, start, STATE_TEXT } from "./shell.js";

function told(tiles) {
  const parts = ["critical", "warning", "stale"].filter((state) => tiles[state]).map((state) => `${tiles[state]} ${STATE_TEXT[state].toLowerCase()}`);
  return parts.length ? `${parts.join(", ")} now` : Object.keys(tiles).length ? "all is within the usual range now" : "nothing is known yet";
}

start((doc) => {
  const state = doc.get_model_by_name("state");
  const show = () => {
    const { newest, feed, tiles } = JSON.parse(state.facts);
    setFreshness(newest, feed);
    setText(find("fleet-now"), told(tiles));
  };
  state.connect(state.properties.facts.change, show);
  show();
});
