"""One module for each way of making hosts; `lab.engine.find` imports the one that is asked for."""
