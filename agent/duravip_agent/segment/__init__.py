"""What the agent says and hears on the Ethernet segments: announcements, probes, claims."""
