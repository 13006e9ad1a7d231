"""Fits the models and keeps them in files."""
import joblib
from sklearn.datasets import load_iris, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

x, y = load_iris(return_X_y=True)
joblib.dump(make_pipeline(StandardScaler(), SVC(random_state=1)).fit(x, y), "iris.joblib")
joblib.dump(RandomForestClassifier(20, random_state=1).fit(*load_wine(return_X_y=True)), "wine.joblib", compress=3)
joblib.dump(HistGradientBoostingClassifier(max_iter=10, random_state=1).fit(x, y), "boosted.joblib", compress=("lzma", 3))
texts = ["good tea", "very good", "bad tea", "so bad", "fine and good", "bad bad"]
joblib.dump(make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), MultinomialNB()).fit(texts, [1, 1, 0, 0, 1, 0]), "text.joblib")
