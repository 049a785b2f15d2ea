// main: starts the parts that live as long as the tab, and draws the app.
import { render } from "preact";
import "./style/index.css";
import { startLive } from "./api/live";
import { App } from "./app";
import { start } from "./router";
import "./state/theme";

start();
startLive();
render(<App />, document.getElementById("app")!);
