"""What the pages of the dashboard show, and what their buttons do: values in, values out, no markup, no HTTP."""
